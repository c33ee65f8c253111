"""Makes the connections to PostgreSQL, and refuses those that Belfry cannot work with.

A pooler such as pgbouncer may give each transaction another server connection. Then nothing that belongs to a session
is of use: no prepared statement, no setting. A pooler is recognised by the process id that it made up for the client.
"""

import select
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any, NoReturn

import psycopg
from psycopg import errors
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Composed, Literal

from lib.circuit_breaker import CircuitBreaker
from lib.database_url import parse_postgresql
from models.db import watchdog
from models.db.server_connection import ServerConnection
from models.db.unavailable import DatabaseUnavailable, DatabaseUnusable, ReadOnly
from models.db.watchdog import Patience

CONNECT_TIMEOUT_SECONDS = 2  # the least that libpq accepts; an API answer of 503 must come within three
PATIENCE_SECONDS = 1.5  # then a server that is silent for half a second more is given up; one that is busy is not
POOLER_ANSWER_SECONDS = 2.0  # how long a query through a pooler may take that finds out whether the server answers
RESET_SECONDS = 0.5  # after a connection attempt failed, none is made for this long
PREPARE_AFTER = 5  # executions: psycopg's default

PARAMETERS = {
    "connect_timeout": str(CONNECT_TIMEOUT_SECONDS),
    "application_name": "belfry",
    "target_session_attrs": "read-write",  # of several hosts, or several addresses of one, any other is passed over
    # Routers and firewalls forget a connection that is idle for some minutes. Probes keep it, or find that it is gone.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
SETTINGS = {
    "TimeZone": "UTC",  # elsewhere the last hours of the year 9999 are no time that Python knows
    "DateStyle": "ISO",  # as `models.inbox.rendering` reads it
    # What is prepared is planned once, not for each parameter: planning a page costs three times what reading it
    # does, and tests/models/test_plans.py can say which plan it is.
    "plan_cache_mode": "force_generic_plan",
}
LOOK = "SELECT pg_backend_pid(), current_setting('transaction_read_only')"

OTHER_ENCODING = (
    "DATABASE_URL names a database in {encoding}, and Belfry stores Unicode; make another one by "
    "CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0, and set its URL"
)
BAD_OPTIONS = "DATABASE_URL has `options` that the server refuses ({reason}); set others"
# Unknown settings (42704) and those that need more rights (42501), bad values (22023), and what is set when the server
# starts (55P02).
REFUSALS = (psycopg.ProgrammingError, psycopg.DataError, errors.CantChangeRuntimeParam)
TAKES_NO_WRITES = "the server takes no writes: it is a standby, or set to read-only"


class Connector:
    """Makes connections to one database; just after one failed it refuses at once, so that nobody waits as well."""

    def __init__(self, url: str, *, lock_seconds: float | None, always_pooler: bool) -> None:
        given = parse_postgresql(url)
        # What comes and goes is Unicode, whatever PGCLIENTENCODING says.
        self._conninfo = make_conninfo(**{**PARAMETERS, **given.parameters, "client_encoding": "UTF8"})
        locks = {} if lock_seconds is None else {"lock_timeout": f"{lock_seconds * 1000:.0f}"}
        settings = {**given.settings, **SETTINGS, **locks}
        self._set_session = _set(settings, is_local=False)
        self.set_local = _set(settings, is_local=True)
        self._always_pooler = always_pooler
        self.patience = Patience(PATIENCE_SECONDS, self._answers)
        self._failure = DatabaseUnavailable()
        self._circuit = CircuitBreaker(RESET_SECONDS)

    def connect(self, _dialect: object, _record: object, _args: object, options: Mapping[str, Any]) -> ServerConnection:
        """Raises `DatabaseUnavailable`, also at once where it has just been raised."""
        if not self._circuit.allow():
            raise type(self._failure)(*self._failure.args)
        try:
            connection = self._connect(options)
        except psycopg.Error as error:
            self._fail(_unavailable(error), error)
        except DatabaseUnavailable as error:
            self._fail(error, error.__cause__)
        self._circuit.record_success()
        return connection

    def _connect(self, options: Mapping[str, Any]) -> ServerConnection:
        since = time.monotonic()
        connection = ServerConnection.connect(self._conninfo, **options, autocommit=True, prepare_threshold=None)
        try:
            with self.patience.with_(connection, since):
                self._admit(connection)
        except BaseException:
            connection.close()
            raise
        connection.add_notice_handler(connection.note)
        connection.opened_at = time.monotonic()
        return connection

    def _admit(self, connection: ServerConnection) -> None:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise DatabaseUnusable(OTHER_ENCODING.format(encoding=encoding))
        [(server_pid, read_only)] = connection.execute(LOOK).fetchall()
        if read_only == "on":
            raise ReadOnly(TAKES_NO_WRITES)
        connection.through_pooler = self._always_pooler or server_pid != connection.info.backend_pid
        self._apply_settings(connection)
        if not connection.through_pooler:
            connection.prepare_threshold = PREPARE_AFTER

    def _apply_settings(self, connection: ServerConnection) -> None:
        """For as long as the connection lasts; through a pooler for this statement alone, to learn of a refusal."""
        try:
            connection.execute(self.set_local if connection.through_pooler else self._set_session)
        except REFUSALS as error:
            raise DatabaseUnusable(BAD_OPTIONS.format(reason=error.diag.message_primary)) from error

    def _fail(self, failure: DatabaseUnavailable, cause: BaseException | None) -> NoReturn:
        self._failure = failure
        self._circuit.record_failure()
        raise failure from cause

    def _answers(self, connection: psycopg.Connection[Any]) -> bool:
        """A pooler answers for a server that does not: there a query has to come back."""
        if not isinstance(connection, ServerConnection) or connection.through_pooler:
            return self._server_answers()
        return watchdog.answers(connection)

    def _server_answers(self) -> bool:
        try:
            with closing(psycopg.connect(self._conninfo, autocommit=True)) as line:
                line.pgconn.send_query(b"SELECT 1")
                poll = select.poll()
                poll.register(line.fileno(), select.POLLIN)
                return bool(poll.poll(POOLER_ANSWER_SECONDS * 1000))
        except (OSError, psycopg.Error):
            return False


def _unavailable(error: psycopg.Error) -> DatabaseUnavailable:
    """libpq tells hosts and users, and no password."""
    reason = str(error).partition("\n")[0]
    return ReadOnly(TAKES_NO_WRITES) if reason.endswith("session is read-only") else DatabaseUnavailable(reason)


def _set(settings: Mapping[str, str], *, is_local: bool) -> Composed:
    """One statement that sets all; `set_config` reads a value as the configuration file does, lists too."""
    call = SQL("set_config({}, {}, {})")
    calls = [call.format(Literal(name), Literal(value), Literal(is_local)) for name, value in settings.items()]
    return SQL("SELECT {}").format(SQL(", ").join(calls))
