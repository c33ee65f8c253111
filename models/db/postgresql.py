"""The pool of connections to PostgreSQL: it checks and replaces them, and begins transactions on them."""

import time
from contextlib import ExitStack
from typing import cast

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.sql import SQL
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError

from models.db.connector import Connector
from models.db.server_connection import READ_TIMEOUT_SECONDS, ServerConnection
from models.db.unavailable import DATABASE_ERRORS, spoils_connections

POOL_TIMEOUT_SECONDS = 1
POOL_SIZE = 20  # without overflow: to connect for one use takes longer than the use
IDLE_SECONDS = 5.0  # a connection that was idle for longer is checked by an empty statement first

BEGINS = {"transaction": SQL("BEGIN"), "snapshot": SQL("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")}
AUTOCOMMIT = "autocommit"  # one statement, which is a transaction by itself


class Postgresql:
    """One database. Connects lazily, so it may be made before a fork."""

    read_only = "SELECT current_setting('transaction_read_only') = 'on'"
    has_autocommit_writes = True

    def __init__(self, url: str, *, lock_seconds: float | None, always_pooler: bool) -> None:
        self._connector = Connector(url, lock_seconds=lock_seconds, always_pooler=always_pooler)
        # Through a pooler each transaction brings its settings along, also one of a single statement.
        begins = {**BEGINS, AUTOCOMMIT: BEGINS["transaction"]}
        local = self._connector.set_local
        self._pooled_begins = {kind: SQL("{}; {}").format(begin, local) for kind, begin in begins.items()}
        self._renewed_at = float("-inf")
        self.engine = self._make_engine()

    def _make_engine(self) -> Engine:
        engine = create_engine(
            "postgresql+psycopg://",  # the connector has the address
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_SECONDS,
            # Transactions are begun below: the driver would set the kind of each, and reset it, in further round trips.
            isolation_level="AUTOCOMMIT",
            pool_reset_on_return=None,
        )
        event.listen(engine, "do_connect", self._connector.connect)
        event.listen(engine, "checkout", self._check)
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "reset", _leave_no_transaction)
        return engine

    def open(self, engine: Engine) -> tuple[Connection, ExitStack]:
        """A connection that is alive, in a transaction unless it is in autocommit; the stack ends both.

        A pooled connection that proves dead before the first statement is replaced: nothing is lost.
        """
        since = time.monotonic()
        try:
            return self._open(engine, since)
        except DATABASE_ERRORS as error:
            if not spoils_connections(error) or time.monotonic() > since + READ_TIMEOUT_SECONDS:
                raise
            self.renew()
            return self._open(engine, since)

    def renew(self) -> None:
        """Replace all connections made before now when they are checked out: they are closed, or read-only."""
        self._renewed_at = time.monotonic()

    def _open(self, engine: Engine, since: float) -> tuple[Connection, ExitStack]:
        with ExitStack() as stack:
            conn = stack.enter_context(engine.connect())
            connection = _server_connection(conn)
            connection.expect_answer(since)
            if connection.through_pooler or _kind(conn) != AUTOCOMMIT:
                stack.enter_context(conn.begin())
            elif connection.used_at and since > connection.used_at + IDLE_SECONDS:
                connection.execute("", prepare=False)
            return conn, stack.pop_all()

    def _check(self, connection: ServerConnection, _record: object, _proxy: object) -> None:
        """Raises `DisconnectionError` for the pool to replace the connection."""
        if connection.used_at is None:
            return  # it is new
        if connection.opened_at <= self._renewed_at or _is_closed(connection) or _became_read_only(connection):
            raise DisconnectionError

    def _begin(self, conn: Connection) -> None:
        connection = _server_connection(conn)
        begins = self._pooled_begins if connection.through_pooler else BEGINS
        if begin := begins.get(_kind(conn)):
            connection.begin(begin)


def _kind(conn: Connection) -> str:
    return cast(str, conn.get_execution_options().get("belfry_begin", "transaction"))


def _server_connection(conn: Connection) -> ServerConnection:
    return cast(ServerConnection, conn.connection.driver_connection)


def _is_closed(connection: ServerConnection) -> bool:
    """Whether the server or the network has closed it; reads what has arrived, without waiting."""
    try:
        connection.pgconn.consume_input()
        connection.pgconn.is_busy()  # turns an error outside of any statement into a notice
        connection.pgconn.consume_input()  # reads the end of the stream, which comes after it
    except psycopg.OperationalError:
        return True
    return connection.is_ending


def _became_read_only(connection: ServerConnection) -> bool:
    """PostgreSQL 14 and newer report it with an answer. A server that was read-only from the start was refused."""
    return connection.pgconn.parameter_status(b"default_transaction_read_only") == b"on"


def _leave_no_transaction(connection: ServerConnection, _record: object, _state: object) -> None:
    connection.used_at = time.monotonic()
    if connection.broken:
        return  # the next checkout finds it closed
    if connection.pgconn.transaction_status != TransactionStatus.IDLE:  # an exception ended its use
        connection.rollback()
