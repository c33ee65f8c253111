"""Liveness and readiness of this process."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread

from api.framework.endpoint import RequestContext, Response, endpoint
from api.framework.problems import NOT_READY, FieldError, Problem
from api.pipeline.enqueue import NoRoute
from api.schemas.responses import Healthy, Ready

CHECK_SECONDS = 1.0  # load balancers check every few seconds, with short timeouts

Check = Callable[[], None]


@endpoint("GET", "/healthz", scope=None, responses={200: Healthy})
def live(context: RequestContext) -> Response:  # noqa: ARG001  (every endpoint takes one)
    """This process responds. Whether the services that it needs do, /readyz tells."""
    return Response(Healthy(status="ok"))


@endpoint("GET", "/readyz", scope=None, responses={200: Ready}, problems=(NOT_READY,))
def ready(context: RequestContext) -> Response:
    """The database responds within a second and the broker accepts tasks; otherwise the problem names which does not.

    Overdue notifications are reported as `stalled`. They do not make the process unready: it can accept more.
    """
    checks: dict[str, Check] = {"database": context.database.check, "broker": context.enqueuer.check}
    running = {name: _start(check) for name, check in checks.items()}
    wait(running.values(), timeout=CHECK_SECONDS)
    failures = [failure for name, check in running.items() if (failure := _failure(name, check))]
    if failures:
        raise Problem(NOT_READY, errors=failures)
    stalled = context.services.stalls.current
    detail = {"stalled": {"count": stalled.count, "oldest_seconds": int(stalled.oldest_seconds)}} if stalled else {}
    return Response({"status": "ready", **detail})


def _start(check: Check) -> "Future[None]":
    """Run a check in a daemon thread, so that neither this request nor the end of the process waits for it."""
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
        return FieldError(name, "no_route", "the broker responds but accepts no tasks: it lacks a queue or is full")
    if error is not None:
        return FieldError(name, "unavailable", f"the {name} cannot be reached ({type(error).__name__})")
    return None
