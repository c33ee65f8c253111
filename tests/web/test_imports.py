"""The modules of the browser's side import in one direction: by folder, and without a circle."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

from dev.stack import ROOT

WEB = ROOT / "web"
IMPORT = re.compile(r'(?:\bfrom|^import) "(\.[^"]+\.ts)"', re.MULTILINE)
SHARED = {"client/emitter", "client/errors", "client/types", "client/validate"}
PUBLIC = {"client/index", "client/browser"}  # of the client, for the component

# What each part may import of the others, the most specific name first; a part may always import itself.
ARROWS: dict[str, set[str]] = {
    "client/emitter": set(),
    "client/errors": set(),
    "client/types": set(),
    "client/validate": {"client/types"},
    "client/browser": set(),
    "client/state": SHARED,
    "client/transport": SHARED,
    "client/tabs": SHARED | {"client/browser"},
    "client/options": {"client/browser", "client/transport"},
    "client/sync": SHARED | {"client/browser", "client/options", "client/state", "client/tabs", "client/transport"},
    "client/inbox": {"client/browser", "client/options", "client/state", "client/sync", "client/transport", *SHARED},
    "client/index": {"client/inbox", "client/options", "client/state", "client/transport", *SHARED},
    "inbox/dom": set(),
    "inbox/i18n": PUBLIC,
    "inbox/bell": {"inbox/dom"},
    "inbox/list": PUBLIC | {"inbox/dom", "inbox/i18n"},
    "inbox/panel": PUBLIC | {"inbox/dom", "inbox/i18n", "inbox/list"},
    "inbox/arrivals": PUBLIC | {"inbox/dom", "inbox/i18n", "inbox/list"},
    "inbox": PUBLIC | {f"inbox/{part}" for part in ("dom", "i18n", "bell", "list", "panel", "arrivals")},
    "demo": {"inbox", "inbox/dom", "inbox/list", "client/browser"},
}


def imports_of(source: Path) -> Iterator[str]:
    here = PurePosixPath(source.parent.relative_to(WEB))
    for target in IMPORT.findall(source.read_text()):
        yield (WEB / here / target).resolve().relative_to(WEB.resolve()).with_suffix("").as_posix()


@cache
def modules() -> dict[str, set[str]]:
    sources = [source for folder in ("client", "inbox", "demo") for source in (WEB / folder).rglob("*.ts")]
    return {source.relative_to(WEB).with_suffix("").as_posix(): set(imports_of(source)) for source in sources}


def part_of(module: str) -> str:
    return next(part for part in ARROWS if module == part or module.startswith(part + "/"))


def circle_in(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules of one circle, or none."""
    done: set[str] = set()

    def follow(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for target in sorted(graph.get(module, ())):
            if circle := follow(target, [*path, module]):
                return circle
        done.add(module)
        return []

    return next((circle for module in sorted(graph) if (circle := follow(module, []))), [])


@pytest.mark.parametrize("module", sorted(modules()))
def test_a_module_imports_only_what_its_part_may(module: str) -> None:
    part = part_of(module)
    wrong = {target for target in modules()[module] if part_of(target) not in {part, *ARROWS[part]}}
    assert wrong == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle_in(modules()) == []


def test_a_circle_would_be_found() -> None:
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
