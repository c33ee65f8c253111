"""Large answers are compressed for who can read them so."""

import gzip

from flask import Flask, Response, request

MIN_BYTES = 1_400  # below, an answer travels in one packet anyway
LEVEL = 4  # a page of a hundred items is a fifth of its size, for half the time that level 9 takes
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
    """The same answer in gzip; to a HEAD too, whose length is that of the GET."""
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
            response.set_etag(tag, weak=True)  # a strong one names the bytes, and these are others
    return response
