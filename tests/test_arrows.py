"""The rooms of the house and the arrows between them: who may import whom."""

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = (
    "lib",
    "telemetry",
    "auth",
    "client",
    "api",
    "workers",
    "push",
    "models",
    "migrations",
    "cli",
    "dev",
    "tests",
    "bench",
)

# What each room may import of the others; a room may always import itself.
ARROWS: dict[str, set[str]] = {
    "lib": set(),
    "settings": {"lib"},
    "telemetry": set(),
    "auth": {"lib"},
    "models": {"lib"},
    "push": {"auth", "lib", "telemetry"},
    "workers": {"lib", "models", "push.broker", "telemetry"},
    "api": {"auth", "lib", "models", "push.broker", "telemetry"},
    "cli": {"lib", "models", "settings", "telemetry"},
    "migrations": {"models"},
    "client": set(),
}

# Entry points read the environment.
ENTRY_POINTS = {
    "push.__main__",
    "workers.celery",
    "api.server",
    "api.tokens",
    "migrations.env",
}
AT_THE_EDGE = {"settings"}

# One door from api to Celery; and one from push to the database, which hands the server a function that says whose
# tokens are revoked, and nothing else.
DOORS = {
    "api.pipeline.enqueue": {"workers.queues"},
    "push.__main__": {
        "models.db.database.Database",
        "models.db.database.DatabaseUnusable",
        "models.revocations.all_revocations",
    },
}

GEVENT = {"push", "api.__main__", "api.worker"}


def modules(room: str) -> Iterator[tuple[str, Path]]:
    if (ROOT / f"{room}.py").exists():
        yield room, ROOT / f"{room}.py"
    for path in sorted((ROOT / room).rglob("*.py")):
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def imports(path: Path) -> Iterator[str]:
    """Every imported module, and every name imported from one.

    `from models.inbox import reading` is
    `models.inbox.reading`.
    """
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


def test_gevent_stays_in_push_and_in_the_api_server_configuration() -> None:
    for room in (*ARROWS, "dev"):
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


def test_models_have_no_entry_points() -> None:
    """Commands are in cli/."""
    for module, path in modules("models"):
        assert "__main__" not in path.read_text(), f"{module} can be run as a command"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions and for type checking count too."""
    files = dict(module for room in (*ROOMS, *sorted(AT_THE_EDGE)) for module in modules(room))
    edges = {module: set(imported_modules(path, files.keys())) - {module} for module, path in files.items()}
    assert circles(edges) == []


def imported_modules(path: Path, ours: Collection[str]) -> Iterator[str]:
    """The modules of ours that this one imports; a package counts as its `__init__.py`."""
    for name in imports(path):
        module = name if name in ours else name.rpartition(".")[0]
        if module in ours:
            yield module


def circles(edges: Mapping[str, set[str]]) -> list[set[str]]:
    """The largest sets of modules of which each imports each, directly or by way of others."""
    reached = {module: reachable(module, edges) for module in edges}
    found = {frozenset(other for other in reached[module] if module in reached[other]) for module in edges}
    return sorted((set(circle) for circle in found if circle), key=sorted)


def reachable(module: str, edges: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    following = [module]
    while following:
        new = edges[following.pop()] - found
        found |= new
        following += new
    return found


def test_a_circle_is_found_however_long_it_is_and_a_diamond_is_none() -> None:
    assert circles({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]
    assert circles({"a": {"b"}, "b": {"a"}, "c": {"d", "a"}, "d": {"c"}}) == [{"a", "b"}, {"c", "d"}]
