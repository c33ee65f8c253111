"""The plans that PostgreSQL makes for the statements of a query as they are sent, with the rows that they read."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Self

import psycopg

from models.db.database import Connection, Database

_looks = count()

PARAMETER = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class Look:
    """The plan of one statement, after its execution."""

    statement: str
    plan: dict[str, Any]

    @property
    def nodes(self) -> list[dict[str, Any]]:
        return list(_walk(self.plan))

    @property
    def scans(self) -> list[dict[str, Any]]:
        return [node for node in self.nodes if "Relation Name" in node and "Scan" in node["Node Type"]]

    @property
    def rows_read(self) -> int:
        """The most rows that were read of one table, those removed by a filter included."""
        read: dict[str, int] = {}
        for scan in self.scans:
            removed = scan.get("Rows Removed by Filter", 0) + scan.get("Rows Removed by Index Recheck", 0)
            rows = (scan["Actual Rows"] + removed) * scan["Actual Loops"]
            read[scan["Relation Name"]] = read.get(scan["Relation Name"], 0) + rows
        return max(read.values(), default=0)

    @property
    def rows_sorted(self) -> int:
        sorts = [node for node in self.nodes if "Sort" in node["Node Type"]]
        return max((sort["Plans"][0]["Actual Rows"] for sort in sorts), default=0)

    @property
    def pages_read(self) -> int:
        """The pages read to find rows, of indexes too: an index scan without a use removes no rows, but reads pages."""
        return sum(scan["Shared Hit Blocks"] + scan["Shared Read Blocks"] for scan in self.scans)

    def __str__(self) -> str:
        return "\n".join([self.statement, *_lines(self.plan)])


def look(database: Database, query: Callable[[Connection], object]) -> list[Look]:
    """The plans of all statements of this query, as for prepared statements; its changes are rolled back."""
    looks: list[Look] = []
    with database.engine.connect() as conn, conn.begin() as transaction, _watched(conn, looks):
        query(conn)
        transaction.rollback()
    return looks


@contextmanager
def _watched(conn: Connection, looks: list[Look]) -> Iterator[None]:
    """At the driver, which executes all statements, with and without SQLAlchemy."""
    connection = conn.connection.driver_connection
    assert isinstance(connection, psycopg.Connection)

    def explain(statement: Any, parameters: Any) -> None:
        if not statement.startswith(("INSERT", "BEGIN")):
            looks.append(Look(statement, _plan(connection, statement, parameters or {})))

    class Watched(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **how: Any) -> Self:
            explain(query, params)
            return super().execute(query, params, **how)

        def executemany(self, query: Any, params_seq: Any, **how: Any) -> None:
            explain(query, params_seq[0])
            super().executemany(query, params_seq, **how)

    connection.cursor_factory = Watched
    try:
        yield
    finally:
        connection.cursor_factory = psycopg.Cursor


def _plan(connection: psycopg.Connection[Any], statement: str, parameters: dict[str, Any]) -> dict[str, Any]:
    names = list(dict.fromkeys(PARAMETER.findall(statement)))
    numbered = PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement).replace("%%", "%")
    values = psycopg.ClientCursor(connection).mogrify(", ".join(["%s"] * len(names)), [parameters[n] for n in names])
    with psycopg.Cursor(connection) as cursor:
        name = f"looked_at_{next(_looks)}"  # not taken away: the driver, which sees a ROLLBACK, may do so itself
        cursor.execute("SAVEPOINT before_look")
        cursor.execute(f"PREPARE {name} AS {numbered}".encode())
        run = f"EXECUTE {name}({values})" if names else f"EXECUTE {name}"
        [row] = cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {run}".encode())
        cursor.execute("ROLLBACK TO before_look")
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _walk(child)


def _lines(node: dict[str, Any], depth: int = 0) -> Iterator[str]:
    where = node.get("Index Name") or node.get("Relation Name") or ""
    removed = node.get("Rows Removed by Filter", 0)
    details = " ".join(f"{name}: {node[name]}" for name in ("Index Cond", "Filter", "Sort Key") if name in node)
    rows = f"rows={node['Actual Rows']} removed={removed} loops={node['Actual Loops']}"
    yield f"{'  ' * depth}{node['Node Type']} {where} {rows} {details}"
    for child in node.get("Plans", ()):
        yield from _lines(child, depth + 1)
