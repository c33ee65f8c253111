"""Makes the connections to PostgreSQL, and refuses servers that Belfry cannot use.

A pooler such as pgbouncer may give each transaction another server connection. Then nothing that belongs to a session
can be used: no prepared statement, no setting. A pooler is recognised by its process id, which is not the server's.
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
from models.db import probe
from models.db.server_connection import ServerConnection
from models.db.unavailable import DatabaseUnavailable, DatabaseUnusable, ReadOnly

CONNECT_TIMEOUT_SECONDS = 2  # the minimum of libpq; the API has to answer 503 within three seconds
POOLER_PROBE_SECONDS = 2.0  # how long a query through a pooler may take that probes the server
RESET_SECONDS = 0.5  # after a failed attempt to connect, no other is made for this long
PREPARE_AFTER = 5  # executions: psycopg's default

PARAMETERS = {
    "connect_timeout": str(CONNECT_TIMEOUT_SECONDS),
    "application_name": "belfry",
    "target_session_attrs": "read-write",  # of several hosts or addresses, standbys are skipped
    # Routers and firewalls drop a connection that is idle for some minutes. Keepalives prevent this, or find it out.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
SETTINGS = {
    "TimeZone": "UTC",  # in other zones the last hours of the year 9999 are beyond Python's range
    "DateStyle": "ISO",  # the format that `models.inbox.rendering` parses
    # One plan for each prepared statement, whatever its parameters: to plan a page costs three times what it costs to
    # read it, and tests/models/test_plans.py can verify the plan.
    "plan_cache_mode": "force_generic_plan",
}
PROBE = "SELECT pg_backend_pid(), current_setting('transaction_read_only')"

OTHER_ENCODING = (
    "DATABASE_URL names a database in {encoding}, and Belfry stores Unicode; make another one by "
    "CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0, and set its URL"
)
BAD_OPTIONS = "DATABASE_URL has `options` that the server refuses ({reason}); set others"
# Unknown settings (42704), settings that need more rights (42501) or a restart of the server (55P02), and bad values
# (22023).
REFUSALS = (psycopg.ProgrammingError, psycopg.DataError, errors.CantChangeRuntimeParam)
TAKES_NO_WRITES = "the server takes no writes: it is a standby, or set to read-only"


class Connector:
    """Makes connections to one database. Just after a failure it refuses at once, without a timeout."""

    def __init__(self, url: str, *, lock_seconds: float | None, always_pooler: bool) -> None:
        parsed = parse_postgresql(url)
        # The client's encoding is UTF-8, whatever PGCLIENTENCODING says.
        self._conninfo = make_conninfo(**{**PARAMETERS, **parsed.parameters, "client_encoding": "UTF8"})
        locks = {} if lock_seconds is None else {"lock_timeout": f"{lock_seconds * 1000:.0f}"}
        settings = {**parsed.settings, **SETTINGS, **locks}
        self._set_session = _set(settings, is_local=False)
        self.set_local = _set(settings, is_local=True)
        self._always_pooler = always_pooler
        self._failure = DatabaseUnavailable()
        self._circuit = CircuitBreaker(RESET_SECONDS)

    def connect(self, _dialect: object, _record: object, _args: object, options: Mapping[str, Any]) -> ServerConnection:
        """Raises `DatabaseUnavailable`; at once if the last attempt has just failed."""
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
            connection.answers = self._answers
            connection.expect_answer(since)
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
        [(server_pid, read_only)] = connection.execute(PROBE).fetchall()
        if read_only == "on":
            raise ReadOnly(TAKES_NO_WRITES)
        connection.through_pooler = self._always_pooler or server_pid != connection.info.backend_pid
        self._apply_settings(connection)
        if not connection.through_pooler:
            connection.prepare_threshold = PREPARE_AFTER

    def _apply_settings(self, connection: ServerConnection) -> None:
        """For the session; through a pooler only for this statement, to find out whether the server refuses one."""
        try:
            connection.execute(self.set_local if connection.through_pooler else self._set_session)
        except REFUSALS as error:
            raise DatabaseUnusable(BAD_OPTIONS.format(reason=error.diag.message_primary)) from error

    def _fail(self, failure: DatabaseUnavailable, cause: BaseException | None) -> NoReturn:
        self._failure = failure
        self._circuit.record_failure()
        raise failure from cause

    def _answers(self, connection: ServerConnection) -> bool:
        """A pooler answers the probe itself, whatever its server does: there a query has to return."""
        if connection.through_pooler:
            return self._server_answers()
        return probe.answers(connection)

    def _server_answers(self) -> bool:
        try:
            with closing(psycopg.connect(self._conninfo, autocommit=True)) as connection:
                connection.pgconn.send_query(b"SELECT 1")
                poll = select.poll()
                poll.register(connection.fileno(), select.POLLIN)
                return bool(poll.poll(POOLER_PROBE_SECONDS * 1000))
        except (OSError, psycopg.Error):
            return False


def _unavailable(error: psycopg.Error) -> DatabaseUnavailable:
    """libpq's message has hosts and users, but no password."""
    reason = str(error).partition("\n")[0]
    return ReadOnly(TAKES_NO_WRITES) if reason.endswith("session is read-only") else DatabaseUnavailable(reason)


def _set(settings: Mapping[str, str], *, is_local: bool) -> Composed:
    """One statement for all settings; `set_config` parses a value as the configuration file does, lists too."""
    call = SQL("set_config({}, {}, {})")
    calls = [call.format(Literal(name), Literal(value), Literal(is_local)) for name, value in settings.items()]
    return SQL("SELECT {}").format(SQL(", ").join(calls))
