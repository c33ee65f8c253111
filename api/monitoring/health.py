"""Whether this process lives, and whether it can serve."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread

from api.framework.endpoint import Answer, Call, endpoint
from api.framework.problems import NOT_READY, FieldError, Problem
from api.pipeline.enqueue import NoRoute
from api.schemas.responses import Healthy, Ready

CHECK_SECONDS = 1.0  # a load balancer asks every few seconds and does not wait

Check = Callable[[], None]


@endpoint("GET", "/healthz", scope=None, answers={200: Healthy})
def live(call: Call) -> Answer:  # noqa: ARG001  (every endpoint takes its call)
    """This process answers; whether others do is what /readyz says."""
    return Answer(Healthy(status="ok"))


@endpoint("GET", "/readyz", scope=None, answers={200: Ready}, problems=(NOT_READY,))
def ready(call: Call) -> Answer:
    """The database answers within a second, and the broker takes tasks; else the problem names the one that does not.

    What was accepted and is overdue is a detail, `stalled`: more can be accepted all the same.
    """
    checks: dict[str, Check] = {"database": lambda: _ask_database(call), "broker": call.enqueuer.check}
    running = {name: _begin(check) for name, check in checks.items()}
    wait(running.values(), timeout=CHECK_SECONDS)
    failures = [failure for name, check in running.items() if (failure := _failure(name, check))]
    if failures:
        raise Problem(NOT_READY, errors=failures)
    stalled = call.services.stalls.current
    detail = {"stalled": {"count": stalled.count, "oldest_seconds": int(stalled.oldest_seconds)}} if stalled else {}
    return Answer({"status": "ready", **detail})


def _ask_database(call: Call) -> None:
    call.database.check()


def _begin(check: Check) -> "Future[None]":
    """Run a check in a thread that nobody has to wait for: neither this request nor the end of the process."""
    outcome: Future[None] = Future()

    def run() -> None:
        try:
            check()
            outcome.set_result(None)
        except Exception as error:
            outcome.set_exception(error)

    Thread(target=run, name="readiness", daemon=True).start()
    return outcome


def _failure(name: str, check: "Future[None]") -> FieldError | None:
    if not check.done():
        return FieldError(name, "unavailable", f"the {name} did not answer within {CHECK_SECONDS:g} second")
    error = check.exception()
    if isinstance(error, NoRoute):
        return FieldError(name, "no_route", "the broker answers, and does not take tasks: it lacks a queue or is full")
    if error is not None:
        return FieldError(name, "unavailable", f"the {name} cannot be reached ({type(error).__name__})")
    return None
