"""A private nginx with a given configuration."""

import os
import re
from pathlib import Path

from dev.install import find_nginx
from dev.processes import Process

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
USER_DIRECTIVE = re.compile(r"^\s*user\s", re.MULTILINE)


class Nginx(Process):
    """nginx with this whole configuration file, which must not set `daemon` or `pid`."""

    def __init__(self, folder: Path, configuration: str, port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # The default temporary folders belong to the system's nginx.
        paths = "".join(f"{name}_temp_path {folder}/{name};\n" for name in TEMPORARY)
        file = folder / "nginx.conf"
        file.write_text(configuration.replace("http {", f"http {{\n{paths}", 1))
        user = "user root; " if os.geteuid() == 0 and not USER_DIRECTIVE.search(configuration) else ""
        directives = f"daemon off; {user}pid {folder}/nginx.pid;"
        command: list[str | Path] = [
            find_nginx() or "nginx",
            "-p",
            folder,
            "-e",
            "stderr",
            "-c",
            file,
            "-g",
            directives,
        ]
        super().__init__("nginx", command, folder / "log", port=port)
