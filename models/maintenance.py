"""When each step of maintenance last succeeded, and when it last failed."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from models.db.database import Connection
from models.db.insert import insert_into
from models.schema.maintenance import maintenance


@dataclass(frozen=True)
class StepState:
    """A time is None if that never happened."""

    step: str
    succeeded_at: datetime | None
    failed_at: datetime | None

    @property
    def is_failing(self) -> bool:
        """Whether the last run failed."""
        if self.failed_at is None:
            return False
        return self.succeeded_at is None or self.succeeded_at < self.failed_at


def record(conn: Connection, step: str, now: datetime, *, succeeded: bool) -> None:
    """Store the outcome of a run of this step."""
    outcome = {"succeeded_at" if succeeded else "failed_at": now}
    run = insert_into(conn, maintenance).values(step=step, **outcome)
    conn.execute(run.on_conflict_do_update(index_elements=[maintenance.c.step], set_=outcome))


def states(conn: Connection) -> list[StepState]:
    """One for each step that ever ran."""
    columns = maintenance.c.step, maintenance.c.succeeded_at, maintenance.c.failed_at
    return [StepState(*row) for row in conn.execute(select(*columns).order_by(maintenance.c.step))]
