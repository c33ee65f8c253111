"""Whether this process lives, and whether it can serve."""

from concurrent.futures import Future, ThreadPoolExecutor, wait

from sqlalchemy import text

from api.answers import Healthy, Ready
from api.endpoint import Answer, Call, endpoint
from api.problems import NOT_READY, FieldError, Problem

CHECK_SECONDS = 1.0  # a load balancer asks every few seconds and does not wait
CHECKS_AT_ONCE = 4  # checks that hang are waited for by nobody; more of them would not learn more

_checks = ThreadPoolExecutor(CHECKS_AT_ONCE, thread_name_prefix="readiness")


@endpoint("GET", "/healthz", scope=None, answers={200: Healthy})
def live(call: Call) -> Answer:  # noqa: ARG001  (every endpoint takes its call)
    """This process answers; whether others do is what /readyz says."""
    return Answer(Healthy(status="ok"))


@endpoint("GET", "/readyz", scope=None, answers={200: Ready}, problems=(NOT_READY,))
def ready(call: Call) -> Answer:
    """The database and the broker answer within a second; else the problem names the one that does not, and why."""
    checks = {"database": lambda: _ask(call), "broker": call.enqueuer.check}
    running = {name: _checks.submit(check) for name, check in checks.items()}
    wait(running.values(), timeout=CHECK_SECONDS)
    failures = [_failure(name, check) for name, check in running.items() if not _passed(check)]
    if failures:
        raise Problem(NOT_READY, errors=failures)
    return Answer(Ready(status="ready"))


def _ask(call: Call) -> None:
    with call.database.read() as session:
        session.execute(text("SELECT 1"))


def _passed(check: "Future[None]") -> bool:
    return check.done() and check.exception() is None


def _failure(name: str, check: "Future[None]") -> FieldError:
    if not check.done():
        check.cancel()
        return FieldError(name, "unavailable", f"the {name} did not answer within {CHECK_SECONDS:g} second")
    return FieldError(name, "unavailable", f"the {name} cannot be reached ({type(check.exception()).__name__})")
