"""`python -m cli parked list|show|retry|drop`: notifications that are parked (dead-lettered) after their last attempt.

These commands change the database alone; the relay enqueues what is retried or dropped within seconds.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from uuid import UUID

import click

from cli.database import with_database
from cli.errors import CommandFailed, InvalidUsage
from models.db.database import Connection, Database
from models.limits import ERROR_MAX
from models.retries import parked as parking
from models.retries.parked import Parked
from telemetry.logs import CONTROL_CHARACTERS

BATCH = 500  # rows in one query or transaction
LISTED = 50
WIDTHS = (36, 20, 20, 20, 8, ERROR_MAX)
HEADINGS = ("ID", "PRODUCER", "KIND", "PARKED SINCE", "ATTEMPTS", "ERROR")
NOTHING = "Nothing is parked."

ids_argument = click.argument("ids", type=click.UUID, nargs=-1, metavar="[ID]...")
all_option = click.option("--all", "all_", is_flag=True, help="All that are parked.")


@dataclass(frozen=True)
class Action:
    """A change to parked notifications, and the messages for those that were changed and for those that were not."""

    apply: Callable[[Connection, Sequence[UUID], datetime], list[UUID]]
    done: str
    refused: str = "is not parked"


RETRY = Action(parking.retry, "will be tried again within seconds")
DROP = Action(
    parking.drop,
    "cancelled",
    "was cancelled or has expired, and is parked on its way out of the inboxes: only retry it",
)


@click.group(subcommand_metavar="list|show|retry|drop")
def parked() -> None:
    """Notifications that could not be delivered or withdrawn after several attempts."""


@parked.command("list")
@click.option("--limit", type=click.IntRange(min=0), default=LISTED, show_default=True, help="Rows; 0 for all.")
@with_database
def list_parked(database: Database, limit: int) -> None:
    """Print a table of them, those parked longest first."""
    shown = 0
    for one in islice(_all_parked(database), limit or None):
        if not shown:
            click.echo(_line(HEADINGS))
        since = f"{one.parked_at:%Y-%m-%dT%H:%M:%SZ}"
        click.echo(_line((str(one.id), one.producer_id, one.kind, since, str(one.attempts), one.error)))
        shown += 1
    total = _count(database)
    if shown < total:
        click.echo(f"{shown} of {total}; --limit 0 shows all.")
    elif not shown:
        click.echo(NOTHING)


@parked.command()
@click.argument("id_", type=click.UUID, metavar="ID")
@with_database
def show(database: Database, id_: UUID) -> None:
    """Print everything about one of them, except its content."""
    one = _find(database, id_)
    if one is None:
        raise CommandFailed(f"{id_} is not parked.")
    audience = "everyone" if one.topic is None else f"topic {one.topic}"
    rows = {
        "id": one.id,
        "producer": one.producer_id,
        "kind": one.kind,
        "for": audience if one.named is None else f"{one.named} recipients",
        "reached": f"{one.reached} inboxes",
        "accepted": one.created_at.isoformat(),
        "failed to": one.step,
        "attempts": one.attempts,
        "parked since": one.parked_at.isoformat(),
        "error": one.error,
    }
    for name, value in rows.items():
        click.echo(f"{name:<13} {_escaped(str(value))}")


@parked.command()
@ids_argument
@all_option
@with_database
def retry(database: Database, ids: tuple[UUID, ...], *, all_: bool) -> None:
    """Try again, once the cause is repaired."""
    _apply(database, RETRY, ids, all_=all_)


@parked.command()
@ids_argument
@all_option
@click.option("--yes", is_flag=True, help="Required with --all.")
@with_database
def drop(database: Database, ids: tuple[UUID, ...], *, all_: bool, yes: bool) -> None:
    """Cancel for good."""
    if all_ and not ids and not yes:
        raise InvalidUsage(f"This cancels {_count(database)} notifications for good. Say --yes as well.")
    _apply(database, DROP, ids, all_=all_)


def _apply(database: Database, action: Action, ids: Sequence[UUID], *, all_: bool) -> None:
    """Change these, or all that are parked now, with a transaction for each batch."""
    if all_ == bool(ids):
        raise InvalidUsage("Name the ids of parked notifications, or say --all.")
    total = _count(database)
    # Stop after as many as there were: one that fails again meanwhile is parked behind the others.
    selected = (one.id for one in islice(_all_parked(database), total)) if all_ else iter(dict.fromkeys(ids))
    done = refused = 0
    while batch := list(islice(selected, BATCH)):
        failed = _apply_to_batch(database, action, batch)
        done, refused = done + len(batch) - failed, refused + failed
        if all_:
            click.echo(f"{done + refused} of {total}", err=True)
    click.echo(NOTHING if all_ and not total else f"{done} {action.done}.")
    if refused:
        raise click.exceptions.Exit(1)


def _apply_to_batch(database: Database, action: Action, batch: Sequence[UUID]) -> int:
    """Print why some could not be changed; returns how many."""
    with database.transaction() as conn:
        changed = set(action.apply(conn, batch, datetime.now(UTC)))
    unchanged = [id_ for id_ in batch if id_ not in changed]
    for id_ in unchanged:
        reason = action.refused if _find(database, id_) else "is not parked"
        click.echo(f"{id_} {reason}.", err=True)
    return len(unchanged)


def _all_parked(database: Database) -> Iterator[Parked]:
    """All that are parked, those parked longest first; read in pages."""
    last: Parked | None = None
    while True:
        with database.snapshot() as conn:
            page = parking.page(conn, last, BATCH)
        if not page:
            return
        yield from page
        last = page[-1]


def _find(database: Database, id_: UUID) -> Parked | None:
    with database.snapshot() as conn:
        return parking.one(conn, id_)


def _count(database: Database) -> int:
    with database.snapshot() as conn:
        return parking.count(conn)


def _line(cells: Sequence[str]) -> str:
    escaped = [_escaped(cell) for cell in cells]
    cut = [cell if len(cell) <= width else f"{cell[: width - 1]}…" for cell, width in zip(escaped, WIDTHS, strict=True)]
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cut, WIDTHS, strict=True)).rstrip()


def _escaped(text: str) -> str:
    """Escape control characters: producers choose these texts, and the reader's terminal would obey them."""
    return text.translate(CONTROL_CHARACTERS)
