"""nginx: a private one that runs a given configuration."""

import os
import re
from pathlib import Path

from dev.install import find_nginx
from dev.processes import Process

BODIES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
NAMES_A_USER = re.compile(r"^\s*user\s", re.MULTILINE)


class Nginx(Process):
    """nginx with this configuration (a whole file; it must not set `daemon` or `pid`), ready when `port` accepts."""

    def __init__(self, folder: Path, configuration: str, port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # The compiled-in folders for bodies belong to the system's nginx.
        own = "".join(f"{body}_temp_path {folder}/{body};\n" for body in BODIES)
        file = folder / "nginx.conf"
        file.write_text(configuration.replace("http {", f"http {{\n{own}", 1))
        account = "user root; " if os.geteuid() == 0 and not NAMES_A_USER.search(configuration) else ""
        directives = f"daemon off; {account}pid {folder}/nginx.pid;"
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
