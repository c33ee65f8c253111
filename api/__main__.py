"""`python -m api` serves the API. Its settings come from the environment (settings.py)."""

from gevent import monkey

monkey.patch_all()  # before any import of ssl or of a database driver

import sys  # noqa: E402

from api.server import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
