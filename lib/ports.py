"""TCP ports, and variables named `<NAME>_PORT` that a platform sets, not the operator.

Kubernetes sets `API_PORT=tcp://10.43.0.5:8000` in every container of a namespace that has a service named api.
"""

import re
from collections.abc import Mapping

PORT_MAX = 65_535

_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://.*")


def is_service_link(value: str) -> bool:
    return _SERVICE_LINK.fullmatch(value) is not None


def without_service_links(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the ports that Kubernetes set in it."""
    return {name: value for name, value in environ.items() if not (name.endswith("_PORT") and is_service_link(value))}
