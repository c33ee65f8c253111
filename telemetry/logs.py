"""Logs of every process: one line per event, `time level logger event key=value …`, on standard error."""

import logging
import sys
import time

FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s"
# What others choose must not break out of its line: neither in a message nor in a traceback.
CONTROL_CHARACTERS = {code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}
LINE_MAX = 10_000  # characters, most of a long traceback; what somebody sent may be in it, however much that was
# These write packets, tokens among them, into their logs at INFO; what matters of theirs is said by our own loggers.
TALKATIVE = ("engineio", "socketio", "geventwebsocket", "amqp", "kombu", "urllib3")


class OneLine(logging.Formatter):
    """Formats a record, with its traceback if it has one, as a single line in UTC, and a bounded one."""

    converter = time.gmtime  # type: ignore[assignment]  # typeshed holds it for a method

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record).translate(CONTROL_CHARACTERS)
        return line if len(line) <= LINE_MAX else f"{line[:LINE_MAX]}… and {len(line) - LINE_MAX} characters more"


def configure_logging(level: str) -> None:
    """Send this process's logs from `level` on to standard error. Called once, by an entry point."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(FORMAT, "%Y-%m-%dT%H:%M:%S"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
