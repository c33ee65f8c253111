"""Which pages may call: those of the listed origins, and those that this very server shows."""

import re
from collections.abc import Sequence

from flask import Flask, Request, Response, request
from flask_cors.core import get_cors_options, set_cors_headers

from api.framework.problems import ORIGIN_NOT_ALLOWED, Problem
from lib.origins import names_host


class Origins:
    """The listed origins, as browsers write them; some app shells write them with capitals."""

    def __init__(self, listed: Sequence[str]) -> None:
        self._listed = frozenset(listed)

    def demand_known(self, request: Request) -> None:
        """Raises `Problem` where the request says that a foreign page sent it.

        Only `Host` can make a page the server's own: a script cannot set it, as it can `X-Forwarded-Host`.
        """
        origin = request.headers.get("Origin")
        if origin is None or origin.lower() in self._listed:
            return
        if not names_host(origin, request.headers.get("Host", "")):
            raise Problem(ORIGIN_NOT_ALLOWED)

    def allow(self, app: Flask) -> None:
        """Tell browsers from now on that pages of the listed origins may read the answers."""
        # As plain texts, flask-cors would take some of them for patterns.
        exactly = [re.compile(re.escape(origin) + r"\Z", re.IGNORECASE) for origin in self._listed]
        options = get_cors_options(
            app,
            {
                "origins": exactly,
                "methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
                "allow_headers": ["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match"],
                "expose_headers": ["ETag", "Link", "Location", "RateLimit", "RateLimit-Policy", "Retry-After"],
                "max_age": 3600,
            },
        )

        def say(response: Response) -> Response:
            is_said = "Access-Control-Allow-Origin" in response.headers
            return set_cors_headers(response, options) if "HTTP_ORIGIN" in request.environ and not is_said else response

        app.after_request(say)
