"""A flood of one event leaves a bounded number of lines in the log."""

import logging

from telemetry.log_sampling import MAX_LINES, PERIOD, SamplingFilter


def record(event: str) -> logging.LogRecord:
    return logging.LogRecord("push", logging.INFO, "", 0, f"{event} eio_sid=%s", ("x",), None)


def test_a_flood_of_one_event_leaves_so_many_lines_then_their_number_and_other_events_all_theirs() -> None:
    now = [0.0]
    sampling = SamplingFilter(clock=lambda: now[0])
    assert sum(sampling.filter(record("client_refused")) for _ in range(10_000)) == MAX_LINES
    assert sampling.filter(record("broker_disconnected"))
    assert sum(sampling.filter(record("client_connected")) for _ in range(5_000)) == 5_000
    now[0] += PERIOD
    line = record("client_refused")
    assert sampling.filter(line)
    assert line.getMessage() == f"client_refused eio_sid=x suppressed={10_000 - MAX_LINES}"
    quiet = record("client_refused")
    assert sampling.filter(quiet)
    assert "suppressed" not in quiet.getMessage()
