"""Every task has a route, and every route leads to a queue that a plain `celery -A workers worker` consumes."""

import subprocess
import sys

from dev.stack import ROOT, command_environment
from workers.queues import ROUTES, make_celery

ENVIRON = {"DATABASE_URL": "sqlite:///x.db", "BROKER_URL": "amqp://host//", "JWT_SECRET": "x" * 32, "JWT_JWKS_URL": ""}
LIST_TASKS = "from workers.celery import app; app.loader.import_default_modules(); print(*app.tasks, sep='\\n')"


def test_every_task_of_the_workers_has_a_route_and_every_route_a_task() -> None:
    command = [sys.executable, "-c", LIST_TASKS]
    listed = subprocess.run(command, env=command_environment(ENVIRON), cwd=ROOT, capture_output=True, check=True)
    assert {name for name in listed.stdout.decode().split() if not name.startswith("celery.")} == set(ROUTES)


def test_every_route_leads_to_a_queue_that_workers_consume() -> None:
    app = make_celery("amqp://host//")
    assert {route["queue"] for route in ROUTES.values()} == set(app.amqp.queues.consume_from)


def test_what_beat_sends_is_a_task_and_is_not_wanted_later_than_the_next_tick() -> None:
    for entry in make_celery("amqp://host//").conf.beat_schedule.values():
        assert entry["task"] in ROUTES
        assert entry["options"]["expires"] <= entry["schedule"].total_seconds()


def test_a_task_is_told_by_three_headers_and_one_that_ends_by_four() -> None:
    app = make_celery("amqp://host//")
    plain = app.amqp.as_task_v2("id", "belfry.deliver", args=[["one"]])
    assert plain.headers == {"lang": "py", "task": "belfry.deliver", "id": "id"}
    assert plain.body[:2] == ([["one"]], {})
    assert set(app.amqp.as_task_v2("id", "belfry.relay", expires=2).headers) == {"lang", "task", "id", "expires"}
