"""What a test cannot do without: skipped on a laptop, failed where CI=true, so that nothing is skipped unnoticed."""

import os
from typing import NoReturn

import pytest


def skip_or_fail(reason: str) -> NoReturn:
    """End this test, because something it needs is not on this machine."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
