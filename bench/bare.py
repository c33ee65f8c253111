"""`python -m bench.bare PORT`: a minimal Flask answer under the API's own server, the calibration of every figure."""

from gevent import monkey

monkey.patch_all()  # as the API does, before anything else is imported

import sys  # noqa: E402

from flask import Flask, Response  # noqa: E402

from api.server import BACKLOG, Server  # noqa: E402
from lib.listening import listen  # noqa: E402
from settings import load_settings  # noqa: E402


class Bare(Server):
    def load(self) -> Flask:
        app = Flask("bare", static_folder=None)
        app.add_url_rule("/", view_func=lambda: Response('{"unread":0}', mimetype="application/json"))
        return app


if __name__ == "__main__":
    Bare(load_settings(), listen("127.0.0.1", int(sys.argv[1]), BACKLOG, "its argument")).run()
