"""Which origins may call the API: those of CORS_ORIGINS, and the server's own pages."""

import re
from collections.abc import Sequence

from flask import Flask, Request, Response, request
from flask_cors.core import get_cors_options, set_cors_headers

from api.framework.problems import ORIGIN_NOT_ALLOWED, Problem
from lib.origins import names_host


class Origins:
    """The origins of CORS_ORIGINS. They compare without regard to case: some app shells send capitals."""

    def __init__(self, listed: Sequence[str]) -> None:
        self._listed = frozenset(listed)

    def demand_known(self, request: Request) -> None:
        """Raises `Problem` if a page of another origin sent the request.

        A page is the server's own if its origin has the host of the `Host` header, which a script cannot set.
        `X-Forwarded-Host` does not count: a script can set it.
        """
        origin = request.headers.get("Origin")
        if origin is None or origin.lower() in self._listed:
            return
        if not names_host(origin, request.headers.get("Host", "")):
            raise Problem(ORIGIN_NOT_ALLOWED)

    def allow(self, app: Flask) -> None:
        """Add CORS headers to the responses of this app."""
        # flask-cors takes a string with certain characters for a pattern.
        patterns = [re.compile(re.escape(origin) + r"\Z", re.IGNORECASE) for origin in self._listed]
        options = get_cors_options(
            app,
            {
                "origins": patterns,
                "methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
                "allow_headers": ["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match"],
                "expose_headers": ["ETag", "Link", "Location", "RateLimit", "RateLimit-Policy", "Retry-After"],
                "max_age": 3600,
            },
        )

        def add_headers(response: Response) -> Response:
            is_set = "Access-Control-Allow-Origin" in response.headers
            return set_cors_headers(response, options) if "HTTP_ORIGIN" in request.environ and not is_set else response

        app.after_request(add_headers)
