"""The log of every process: one line per event, `time level logger event key=value …`, on standard error."""

import logging
import sys
import time

FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s"
# Values that clients choose must not start a new line, in a message or in a traceback.
CONTROL_CHARACTERS = {code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}
LINE_MAX = 10_000  # characters: most of a long traceback, which may quote a large request
# These log packets, with tokens in them, at INFO. Belfry's own loggers report their important events.
ERRORS_ONLY = ("engineio", "socketio", "geventwebsocket", "amqp", "kombu", "urllib3")


class OneLine(logging.Formatter):
    """Formats a record and its traceback as a single line of limited length, with the time in UTC."""

    converter = time.gmtime  # type: ignore[assignment]  # typeshed declares it as a method

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record).translate(CONTROL_CHARACTERS)
        return line if len(line) <= LINE_MAX else f"{line[:LINE_MAX]}… and {len(line) - LINE_MAX} characters more"


def configure_logging(level: str) -> None:
    """Log to standard error, from `level` up. Called by entry points."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(FORMAT, "%Y-%m-%dT%H:%M:%S"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ERRORS_ONLY:
        logging.getLogger(name).setLevel(logging.ERROR)
