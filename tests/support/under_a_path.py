"""The whole system below two paths of a site, behind nginx with the configuration from docs/operations.md."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dev.install import find_nginx
from dev.nginx import Nginx
from dev.processes import free_port
from dev.redis import EmbeddedRedis
from dev.services import temporary_folder
from dev.stack import Stack
from tests.support.documents import OPERATIONS, block
from tests.support.needs import skip_or_fail
from tests.support.stack import start_stack

API_PATH, PUSH_PATH = "/belfry", "/live"
CONFIGURATION = """error_log stderr warn;
events {{}}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port};
        proxy_http_version 1.1;  # the default since nginx 1.30; HTTP/1.0 would tell the API that there is a proxy
        {lines}
    }}
}}
"""


@dataclass(frozen=True)
class Site:
    url: str
    stack: Stack

    @property
    def api(self) -> str:
        return self.url + API_PATH

    @property
    def push(self) -> str:
        return self.url + PUSH_PATH


@contextmanager
def under_a_path() -> Iterator[Site]:
    if find_nginx() is None:
        skip_or_fail("there is no nginx here; `make test` installs it")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environ = {"PUBLIC_PUSH_URL": url + PUSH_PATH, "PUBLIC_API_URL": url + API_PATH}
    with (
        temporary_folder() as folder,
        EmbeddedRedis(folder / "redis.log") as broker,
        start_stack(folder, f"sqlite:///{folder}/belfry.db", broker.url, environ) as stack,
        Nginx(folder / "nginx", CONFIGURATION.format(port=port, lines=_lines(stack)), port),
    ):
        yield Site(url, stack)


def _lines(stack: Stack) -> str:
    """The lines of the page, with the ports of this stack."""
    lines = block(OPERATIONS, "nginx")
    for address, url in (("127.0.0.1:8000", stack.api_url), ("127.0.0.1:8001", stack.push_url)):
        assert address in lines
        lines = lines.replace(f"http://{address}", url)
    return lines
