"""Every log record is one line, whatever is in it."""

import logging
import subprocess
import sys

from telemetry import logs

SCRIPT = """
import logging
from telemetry import logs
logs.configure_logging("INFO")
log = logging.getLogger("push.test")
log.info("client_said text=%s", "a\\nINFO forged\\r\\x1b[2J\\x85\\u2028end")
try:
    raise ValueError("bad\\nvalue")
except ValueError:
    log.exception("handler_failed event=%s", "authenticate")
logging.getLogger("engineio.server").info("token")
log.debug("not at this level")
"""


def test_a_record_is_one_line_with_its_traceback_and_cannot_be_broken_out_of() -> None:
    written = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stderr
    first, second = written.splitlines()
    assert first.endswith("Z INFO push.test client_said text=a\\nINFO forged\\r\\x1b[2J\\x85\\u2028end")
    assert "ERROR push.test handler_failed event=authenticate" in second
    assert "Traceback" in second
    assert "ValueError: bad\\nvalue" in second


def test_times_are_in_utc() -> None:
    record = logging.LogRecord("push", logging.INFO, "", 0, "started", None, None)
    record.created, record.msecs = 0.25, 250.0
    formatted = logs.OneLine(logs.FORMAT, "%Y-%m-%dT%H:%M:%S").format(record)
    assert formatted == "1970-01-01T00:00:00.250Z INFO push started"


def test_a_line_is_bounded_and_says_what_it_lacks() -> None:
    record = logging.LogRecord("push", logging.INFO, "", 0, "x" * 1_000_000, None, None)
    formatted = logs.OneLine(logs.FORMAT).format(record)
    assert len(formatted) < logs.LINE_MAX + 100
    assert formatted.endswith("characters more")
