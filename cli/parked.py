"""`python -m cli.parked list|show|retry|drop`: what could not be delivered or withdrawn, and what becomes of it.

Exits 0 when all that was asked for is done, 1 when some of it could not be, 2 when the question or the environment is
unusable. It needs the database alone: the relay does the rest.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from uuid import UUID

from models.db.database import Database, DatabaseUnavailable, DatabaseUnusable, Session
from models.limits import ERROR_MAX
from models.retries import parked as parking
from models.retries.parked import Parked
from settings import DATABASE, SettingsError, load_settings
from telemetry.logs import CONTROL_CHARACTERS

BATCH = 500  # rows in one query or transaction
LISTED = 50
WIDTHS = (36, 20, 20, 20, 8, ERROR_MAX)
HEADINGS = ("ID", "PRODUCER", "KIND", "PARKED SINCE", "ATTEMPTS", "ERROR")
NOTHING = "Nothing is parked."


@dataclass(frozen=True)
class Fate:
    """What becomes of parked ones, and how it is said of some and of one that it cannot be done with."""

    decide: Callable[[Session, Sequence[UUID], datetime], list[UUID]]
    done: str
    refused: str = "is not parked"


RETRY = Fate(parking.retry, "will be tried again within seconds")
DROP = Fate(
    parking.drop,
    "cancelled",
    "was cancelled or has expired, and is parked on its way out of the inboxes: only retry it",
)


def main(arguments: Sequence[str]) -> int:
    asked = _parser().parse_args(arguments)
    try:
        settings = load_settings(uses=DATABASE)
        database = Database(settings.database_url, pooler=settings.database_pooler)
    except SettingsError as error:
        return _complain(str(error), 2)
    try:
        return int(asked.command(database, asked))
    except DatabaseUnusable as error:
        return _complain(str(error), 1)
    except DatabaseUnavailable:
        return _complain("The database does not answer, or is not migrated. Look at DATABASE_URL.", 1)


def list_(database: Database, asked: argparse.Namespace) -> int:
    """A table, those parked longest first; and how many there are beside it."""
    shown = 0
    for one in islice(_each(database), asked.limit or None):
        if not shown:
            print(_line(HEADINGS))
        since = f"{one.parked_at:%Y-%m-%dT%H:%M:%SZ}"
        print(_line((str(one.id), one.producer_id, one.kind, since, str(one.attempts), one.error)))
        shown += 1
    with database.read() as session:
        parked = parking.count(session)
    if shown < parked:
        print(f"{shown} of {parked}; --limit 0 shows all.")
    elif not shown:
        print(NOTHING)
    return 0


def show(database: Database, asked: argparse.Namespace) -> int:
    with database.read() as session:
        one = parking.one(session, asked.id)
    if one is None:
        return _complain(f"{asked.id} is not parked.", 1)
    audience = "everyone" if one.topic is None else f"topic {one.topic}"
    told = {
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
    for name, value in told.items():
        print(f"{name:<13} {_plain(str(value))}")
    return 0


def decide(database: Database, asked: argparse.Namespace) -> int:
    """Retry or drop these, or as many as are parked now; each batch is a transaction of its own."""
    fate: Fate = asked.fate
    if asked.all == bool(asked.ids):
        return _complain("Name the ids of parked notifications, or say --all.", 2)
    with database.read() as session:
        parked = parking.count(session)
    if asked.all and fate is DROP and not asked.yes:
        return _complain(f"This cancels {parked} notifications for good. Say --yes as well.", 2)
    # As many: one that fails again while this goes on is parked behind the others, and must not come round.
    ids = (one.id for one in islice(_each(database), parked)) if asked.all else iter(dict.fromkeys(asked.ids))
    done = refused = 0
    while batch := list(islice(ids, BATCH)):
        with database.write() as session:
            decided = set(fate.decide(session, batch, datetime.now(UTC)))
        done, refused = done + len(decided), refused + len(batch) - len(decided)
        _explain(database, fate, [one for one in batch if one not in decided])
        if asked.all:
            print(f"{done + refused} of {parked}", file=sys.stderr, flush=True)
    print(NOTHING if asked.all and not parked else f"{done} {fate.done}.")
    return 1 if refused else 0


def _each(database: Database) -> Iterator[Parked]:
    """All that is parked, in pages, those parked longest first."""
    last: Parked | None = None
    while True:
        with database.read() as session:
            page = parking.page(session, last, BATCH)
        if not page:
            return
        yield from page
        last = page[-1]


def _explain(database: Database, fate: Fate, ids: Sequence[UUID]) -> None:
    for id_ in ids:
        with database.read() as session:
            parked = parking.one(session, id_)
        _complain(f"{id_} {fate.refused if parked else 'is not parked'}.", 1)


def _line(cells: Sequence[str]) -> str:
    short = [_plain(cell) for cell in cells]
    cut = [cell if len(cell) <= width else f"{cell[: width - 1]}…" for cell, width in zip(short, WIDTHS, strict=True)]
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cut, WIDTHS, strict=True)).rstrip()


def _plain(text: str) -> str:
    """Ids are whatever their producers like: nothing in them may break out of its line, or into the terminal."""
    return text.translate(CONTROL_CHARACTERS)


def _complain(what: str, code: int) -> int:
    print(what, file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    about = "What Belfry gave up to deliver or to withdraw after some attempts."
    parser = argparse.ArgumentParser(prog="python -m cli.parked", description=about)
    commands = parser.add_subparsers(required=True, metavar="list|show|retry|drop")
    listing = commands.add_parser("list", help="a table of them, those parked longest first")
    listing.add_argument("--limit", type=_number, default=LISTED, help=f"rows; 0 for all; default: {LISTED}")
    listing.set_defaults(command=list_)
    one = commands.add_parser("show", help="all about one of them, except its content")
    one.add_argument("id", type=UUID, metavar="ID")
    one.set_defaults(command=show)
    for name, fate, about in (("retry", RETRY, "try again what was repaired"), ("drop", DROP, "cancel for good")):
        command = commands.add_parser(name, help=about)
        command.add_argument("ids", type=UUID, nargs="*", metavar="ID")
        command.add_argument("--all", action="store_true", help="all that are parked")
        if fate is DROP:
            command.add_argument("--yes", action="store_true", help="needed with --all")
        command.set_defaults(command=decide, fate=fate)
    return parser


def _number(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `… list --limit 0 | head` is no error
    sys.exit(main(sys.argv[1:]))
