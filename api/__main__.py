"""`python -m api` serves the API, as the environment says (settings.py)."""

from gevent import monkey

monkey.patch_all()  # before anything imports ssl, or a database driver that waits on sockets

import sys  # noqa: E402

from api.server import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
