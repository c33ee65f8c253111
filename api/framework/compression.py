"""Gzip for large responses, for clients that accept it.

It serves processes without a proxy that compresses, such as those of `make up`. Behind our nginx it has no effect:
nginx compresses, and sends no Accept-Encoding.
"""

import gzip

from flask import Flask, Response, request

MIN_BYTES = 1_400  # a smaller response fits into one packet anyway
LEVEL = 4  # a page of 100 items shrinks to a fifth; level 9 takes twice as long
COMPRESSIBLE = {
    "application/json",
    "application/problem+json",
    "text/html",
    "text/css",
    "text/javascript",
    "text/plain",
}


def register(app: Flask) -> None:
    app.after_request(_compress)


def _compress(response: Response) -> Response:
    """Compress a response; to HEAD too, because its Content-Length is that of GET."""
    if response.direct_passthrough:
        return response
    content = response.get_data()
    if len(content) < MIN_BYTES or response.mimetype not in COMPRESSIBLE:
        return response
    response.headers.add("Vary", "Accept-Encoding")
    if "HTTP_ACCEPT_ENCODING" in request.environ and request.accept_encodings.quality("gzip") > 0:
        response.set_data(gzip.compress(content, LEVEL, mtime=0))
        response.content_encoding = "gzip"
        tag, is_weak = response.get_etag()
        if tag and not is_weak:
            response.set_etag(tag, weak=True)  # a strong ETag would promise the same bytes
    return response
