"""The driver's connection to PostgreSQL, and the cursor that psycopg and SQLAlchemy execute statements with."""

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, Self, TypeVar, cast

import psycopg
from psycopg import errors
from psycopg.abc import Params, PQGen, Query, QueryNoTemplate
from psycopg.pq import TransactionStatus
from psycopg.sql import SQL, Composed

from models.db.unavailable import is_outdated_plan

Begin = SQL | Composed
Result = TypeVar("Result")

READ_TIMEOUT_SECONDS = 1.5  # then the server is probed; a busy one answers, a silent one is given up
INTERRUPT_SECONDS = 0.1  # psycopg's default: how often a wait looks for signals


class ServerConnection(psycopg.Connection[Any]):
    """A connection of the pool. Until the connector knows better, it is assumed to go through a pooler."""

    through_pooler = True
    opened_at = 0.0
    used_at: float | None = None
    is_ending = False  # the server has announced that it ends the connection
    begun_by: Begin | None = None  # until the first statement of the transaction
    _last_begun_by: Begin = SQL("BEGIN")
    _probe_at = float("inf")
    answers: Callable[["ServerConnection"], bool]  # whether the server answers a probe

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.cursor_factory = ServerCursor

    def wait(self, gen: PQGen[Result], interval: float = INTERRUPT_SECONDS, timeout: float | None = None) -> Result:
        """Raises `OperationalError` if the server falls silent: after the read timeout it does not answer a probe.

        A server that answers is busy, and is waited for: the generator goes on where the timeout ended the wait.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        while True:
            try:
                return super().wait(gen, interval, max(0.0, self._probe_at - monotonic()))
            except errors._WaitTimeout:  # psycopg has no public name for it; tests/models/db/test_database.py needs it
                if not self.answers(self):
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server is silent") from None
                self.expect_answer(monotonic())

    def expect_answer(self, since: float) -> None:
        """Begin the read timeout."""
        self._probe_at = since + READ_TIMEOUT_SECONDS

    def note(self, notice: psycopg.errors.Diagnostic) -> None:
        self.is_ending |= notice.severity_nonlocalized in ("FATAL", "PANIC")

    def begin(self, by: Begin) -> None:
        self.execute(by, prepare=False)
        self.begun_by = self._last_begun_by = by

    def begin_again(self) -> None:
        """Begin a transaction as the last one was begun."""
        self.begin(self._last_begun_by)

    def begin_anew(self, by: Begin | None) -> bool:
        """Deallocate prepared statements; False if this would end a transaction that has executed statements."""
        if self.pgconn.transaction_status == TransactionStatus.IDLE:
            self.execute("DEALLOCATE ALL", prepare=False)
            return True
        if by is None:
            return False
        self.rollback()  # psycopg deallocates with it
        self.begin(by)
        return True


class ServerCursor(psycopg.Cursor[Any]):
    """Executes a statement again if a migration has outdated its plan, unless the transaction has executed others."""

    def execute(  # type: ignore[override]  # Belfry executes no Template
        self,
        query: QueryNoTemplate,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Self:
        connection = cast(ServerConnection, self.connection)
        begun_by, connection.begun_by = connection.begun_by, None
        try:
            return super().execute(query, params, prepare=prepare, binary=binary)
        except errors.FeatureNotSupported as error:
            if not is_outdated_plan(error) or not connection.begin_anew(begun_by):
                raise
        connection.begun_by = None
        return super().execute(query, params, prepare=prepare, binary=binary)

    def executemany(self, query: Query, params_seq: Iterable[Params], *, returning: bool = False) -> None:
        """Not executed again: some rows may be written. Nor is the transaction begun again after it."""
        cast(ServerConnection, self.connection).begun_by = None
        super().executemany(query, params_seq, returning=returning)
