"""Waiting until transactions on PostgreSQL block each other."""

from sqlalchemy import text

from dev.processes import wait_for
from models.db.database import Database

BLOCKED = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock' AND starts_with(query, :statement)"
)


def wait_until_blocked(database: Database, statement: str = "", sessions: int = 1) -> None:
    """Return when so many sessions wait for a lock in a statement that begins with this text."""

    def are_blocked() -> bool:
        with database.snapshot() as conn:
            return bool(conn.scalar(BLOCKED, {"statement": statement}) == sessions)

    wait_for(are_blocked, what=f"{sessions} sessions to wait for a lock: {statement or 'any statement'}")
