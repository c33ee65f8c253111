"""The rooms of the house and the arrows between them: who may import whom."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("lib", "telemetry", "client", "api", "workers", "push", "models", "migrations", "ops", "tests", "bench")

# What each room may import of the others; a room may always import itself.
ARROWS: dict[str, set[str]] = {
    "lib": set(),
    "settings": {"lib"},
    "logs": set(),
    "telemetry": set(),
    "models": {"lib"},
    "push": {"lib", "telemetry"},
    "workers": {"lib", "models", "push.announcer", "push.wire"},
    "api": {"lib", "models", "push.tokens", "push.announcer"},
    "migrations": {"models"},
}

# Entry points read the environment and set up the log.
ENTRY_POINTS = {
    "push.__main__",
    "models.recount",
    "models.restored",
    "workers.celery",
    "workers.parked",
    "api.server",
    "api.tokens",
    "migrations.env",
}
AT_THE_EDGE = {"settings", "logs"}

# One door from api to Celery; and one from push to the database, which hands the server a function that says whose
# tokens are revoked, and nothing else.
DOORS = {
    "api.enqueue": {"workers.queues"},
    "push.__main__": {"models.database.Database", "models.revocations.all_revocations"},
}

GEVENT = {"push", "api.__main__", "api.worker"}


def modules(room: str) -> Iterator[tuple[str, Path]]:
    if (ROOT / f"{room}.py").exists():
        yield room, ROOT / f"{room}.py"
    for path in sorted((ROOT / room).rglob("*.py")):
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def imports(path: Path) -> Iterator[str]:
    """Every imported module, and every name imported from one: `from models import inbox` is `models.inbox`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, places: set[str]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


@pytest.mark.parametrize("room", ARROWS)
def test_a_room_imports_only_along_its_arrows(room: str) -> None:
    ours = {*ROOMS, *AT_THE_EDGE}
    for module, path in modules(room):
        allowed = {room, *ARROWS[room], *DOORS.get(module, set())}
        allowed |= AT_THE_EDGE if module in ENTRY_POINTS else set()
        strangers = [name for name in imports(path) if within(name, ours) and not within(name, allowed)]
        assert not strangers, f"{module} imports {strangers}; it may import {sorted(allowed)}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports for type checking count too: who names another's class knows it."""
    files = {module: path for room in ARROWS for module, path in modules(room)}
    uses = {module: set(imported_of(files, path)) - {module} for module, path in files.items()}
    while leaves := {module for module, used in uses.items() if not used & uses.keys()}:
        uses = {module: used for module, used in uses.items() if module not in leaves}
    assert not uses, f"in a circle, or above one: {sorted(uses)}"


def imported_of(files: dict[str, Path], path: Path) -> Iterator[str]:
    for name in imports(path):
        yield from {name, name.rpartition(".")[0]} & files.keys()


def test_gevent_stays_in_push_and_in_the_api_server_configuration() -> None:
    for room in (*ARROWS, "ops"):
        for module, path in modules(room):
            if not within(module, GEVENT):
                assert not [name for name in imports(path) if within(name, {"gevent"})], f"{module} imports gevent"


def test_the_push_server_knows_nothing_of_the_inbox() -> None:
    for module, path in modules("push"):
        strangers = [name for name in imports(path) if within(name, {"models", "sqlalchemy", "celery"})]
        assert not set(strangers) - DOORS.get(module, set()), module


def test_queries_never_commit() -> None:
    for _, path in modules("models"):
        called = [node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)]
        assert "commit" not in called, f"{path} commits"
