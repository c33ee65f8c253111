"""One worker whose queue is a list, on the SQLite database of the environment: a test sees each task that it enqueues.

Import this in a process of its own, because it replaces how tasks are enqueued.
"""

import json
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from models.inbox import reading
from models.notifications import accept as notifications
from models.notifications.accept import NewNotification
from models.schema.inbox import inbox_items
from models.schema.notifications import notifications as rows
from models.subscriptions import subscribe
from workers import delivering  # noqa: F401 (the scripts of tests use it)
from workers.celery import announcer, app, database
from workers.tasks import deliver, fan_out, relay, withdraw

Enqueued = tuple[str, list[Any], dict[str, bool]]

tasks = SimpleNamespace(
    deliver=deliver.deliver,
    fan_out=fan_out.fan_out,
    relay=relay.relay,
    withdraw=withdraw.withdraw,
    withdraw_named=withdraw.withdraw_named,
)
queue: deque[Enqueued] = deque()


def send_task(name: str, args: Sequence[Any], kwargs: dict[str, bool] | None = None) -> None:
    queue.append((name, list(args), kwargs or {}))


def _delay(task: Any) -> None:
    task.delay = lambda *args, **kwargs: send_task(task.name, args, kwargs)


app.send_task = send_task
for one in (tasks.deliver, tasks.fan_out, tasks.withdraw, tasks.withdraw_named):
    _delay(one)
for method in ("announce", "announce_items"):
    setattr(announcer, method, lambda _: None)  # there are no push servers
with database.transaction() as conn:
    reading.open_inboxes(conn, ["bob", "carol"], datetime.now(UTC))
    subscribe(conn, "boots", ["bob", "carol"], datetime.now(UTC))


def accept(*audiences: dict[str, Any]) -> list[UUID]:
    """Accept a batch; each member by its audience and other fields."""
    new = [NewNotification("shop", "offer", str(n), batch="a digest", **one) for n, one in enumerate(audiences)]
    with database.transaction() as conn:
        return notifications.accept(conn, new, datetime.now(UTC))


def change(ids: Sequence[UUID], **values: Any) -> None:
    with database.transaction() as conn:
        conn.execute(update(rows).where(rows.c.id.in_(ids)).values(**values))


def run_next() -> Enqueued:
    """Run the task that was enqueued first."""
    name, args, kwargs = queue.popleft()
    app.tasks[name].run(*args, **kwargs)
    return name, args, kwargs


def titles(recipient: str) -> list[str]:
    """Of the items in this inbox, oldest first."""
    items, content = inbox_items.c, rows.c.content
    query = select(content).join(inbox_items, items.notification_id == rows.c.id).where(items.recipient_id == recipient)
    with database.snapshot() as conn:
        return [json.loads(one)["title"] for one in conn.scalars(query.order_by(items.seq))]


def calls(module: ModuleType, name: str) -> list[tuple[Any, ...]]:
    """A list that grows by the arguments of each call of this function from now on."""
    counted: list[tuple[Any, ...]] = []
    function = getattr(module, name)

    def counting(*args: Any, **kwargs: Any) -> Any:
        counted.append(args)
        return function(*args, **kwargs)

    setattr(module, name, counting)
    return counted


def column(name: str) -> Sequence[Any]:
    """Of all notifications, in the order of ids."""
    with database.snapshot() as conn:
        return conn.scalars(select(rows.c[name]).order_by(rows.c.id)).all()
