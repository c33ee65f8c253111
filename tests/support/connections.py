"""Connection pools."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlalchemy import text

from models.db.database import Database, execute_prepared


def fill_pool(database: Database, count: int) -> None:
    """Open this many connections; they are idle in the pool when this returns."""
    together = Barrier(count)

    def use_one(_: int) -> None:
        with database.snapshot() as conn:
            execute_prepared(conn, text("SELECT 1"), {})
            together.wait(10)

    with ThreadPoolExecutor(count) as many:
        list(many.map(use_one, range(count)))
