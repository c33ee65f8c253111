"""What the pages of documentation name exists: files, headings, targets, modules, variables, metrics, calls."""

import importlib.util
import re
from pathlib import Path

import pytest

from api.app import ENDPOINTS
from dev.stack import ROOT
from tests.support.documents import HTTP, PAGES, README, anchors, code_in, links, text_of

README_MAX = 150  # lines: it is for one reader, who tries it
SUFFIXES = {".cfg", ".ini", ".md", ".mjs", ".py", ".sh", ".template", ".toml", ".ts", ".tsx", ".txt", ".yml"}
MADE_LATER = ("var", "web/dist", "web/node_modules", "bench/results", ".venv", ".env")
THE_READERS_OWN = {"client.mjs", "../belfry/web"}
# Variables that .env.example does not list: of make's targets, of tests and measurements, and of the README's lines.
OTHER_VARIABLES = {"ARGS", "MINUTES", "SCOPE", "USER", "CI", "SEED", "API", "ALICE", "BOB", "SHOP"}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_every_anchor_to_a_heading(page: str) -> None:
    for path, anchor in links(page):
        assert path.exists(), f"{page} links to {path}"
        assert not anchor or anchor in anchors(path), f"{page} links to #{anchor}; {path.name} has {anchors(path)}"


def test_every_page_is_reached_from_the_readme() -> None:
    reached, following = set[Path](), [ROOT / README]
    while following:
        page = following.pop()
        reached.add(page)
        following += [
            path
            for path, _ in links(page.relative_to(ROOT).as_posix())
            if path.suffix == ".md" and path not in reached and path.exists()
        ]
    assert {ROOT / page for page in PAGES} <= reached


@pytest.mark.parametrize("page", PAGES)
def test_every_path_in_code_exists(page: str) -> None:
    folders = (ROOT, (ROOT / page).parent)
    for line in code_in(page):
        for word in line.split():
            path = word.strip("\"'(),;:").partition(":")[0]
            if names_a_file(path):
                assert any((folder / path).exists() for folder in folders), f"{page} names {path}"


def names_a_file(word: str) -> bool:
    """Whether this word of code is a path in this repository, and not one that is made later."""
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)*/?", word) or word in THE_READERS_OWN:
        return False
    if any(word == made or word.startswith(f"{made}/") for made in MADE_LATER):
        return False
    is_below_a_room = "/" in word and (ROOT / word.partition("/")[0]).is_dir()
    return is_below_a_room or (Path(word).suffix in SUFFIXES and not word.startswith("."))


@pytest.mark.parametrize("page", PAGES)
def test_every_target_of_make_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in code_in(page):
        assert set(re.findall(r"\bmake (?:-s )?([a-z][a-z-]*)", line)) <= targets, f"{page}: {line}"


@pytest.mark.parametrize("page", PAGES)
def test_every_module_that_is_run_exists(page: str) -> None:
    for line in code_in(page):
        for module in re.findall(r"python -m ([\w.]+)", line):
            assert can_be_run(module), f"{page}: python -m {module}"


def can_be_run(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    if (ROOT / module.partition(".")[0]).is_dir():
        return path.with_suffix(".py").exists() or (path / "__main__.py").exists()
    return importlib.util.find_spec(module) is not None


@pytest.mark.parametrize("page", PAGES)
def test_every_variable_exists(page: str) -> None:
    """Names in capitals with an underscore, and all that a line sets or expands."""
    listed = set(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", text_of(".env.example"), re.MULTILINE))
    for line in code_in(page):
        named = re.findall(r"\b(?:[A-Z]+(?:_[A-Z]+)+\b|[A-Z]+(?==))|(?<=\$)[A-Z_]+", line)
        assert set(named) <= listed | OTHER_VARIABLES, f"{page}: {line}"


@pytest.mark.parametrize("page", PAGES)
def test_every_metric_exists(page: str) -> None:
    source = "".join(path.read_text() for room in ("api", "push") for path in (ROOT / room).rglob("*.py"))
    for line in code_in(page):
        for metric in re.findall(r"\bbelfry_\w+", line):
            assert f'"{metric}"' in source, f"{page} names {metric}"


def test_the_page_of_http_names_every_call_and_no_other() -> None:
    calls = {re.sub(r"{\w+}", "{}", one.path) for one in ENDPOINTS}
    paths = (path for line in code_in(HTTP) for path in re.findall(r"(?<!\w)/[\w/{}-]+", line))
    named = {re.sub(r"{\w+}", "{}", path) for path in paths}
    named |= {f"/v1/inbox{path}" for path in named & {"/seen", "/archive"}}  # `POST /v1/inbox/read` · `/seen`
    assert calls <= named
    assert {path for path in named if path.startswith("/v1/")} - {"/v1/inbox/42"} <= calls


def test_the_readme_is_short() -> None:
    assert len(text_of(README).splitlines()) <= README_MAX
