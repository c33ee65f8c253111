"""The pages of documentation, and what stands in them: links, headings, and code."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from dev.stack import ROOT, Stack

README, CLIENTS, OPERATIONS, HTTP = "README.md", "docs/clients.md", "docs/operations.md", "docs/http.md"
PAGES = (
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "bench/README.md", "migrations/README.md"),
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")),
)

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"(?:^ {4,}\S.*\n)+", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


def block(page: str, language: str) -> str:
    """The page's one block of code in this language."""
    [code] = [code for name, code in _BLOCK.findall(text_of(page)) if name == language]
    return str(code)


def snippet(page: str, language: str, stack: Stack) -> str:
    """That block, with the ports of a test's stack, and this Python in place of the reader's."""
    code = block(page, language)
    here = code.replace("http://127.0.0.1:8000", stack.api_url).replace("http://127.0.0.1:8001", stack.push_url)
    return here.replace(".venv/bin/python", sys.executable)


def prose(page: str) -> str:
    """The page without its blocks of code."""
    return _BLOCK.sub("", text_of(page))


def code_in(page: str) -> Iterator[str]:
    """Every line of code of a page: of its blocks, and each code span."""
    for _, code in _BLOCK.findall(text_of(page)):
        yield from code.splitlines()
    for code in _INDENTED.findall(prose(page)):
        yield from code.splitlines()
    yield from _SPAN.findall(prose(page))


def links(page: str) -> Iterator[tuple[Path, str]]:
    """The files that a page links to, with the anchor in each, or ""."""
    for target in _LINK.findall(prose(page)):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            yield (ROOT / page).parent.joinpath(path).resolve() if path else ROOT / page, anchor


def anchors(path: Path) -> set[str]:
    """As GitHub names them: lower case, without punctuation, a hyphen for each space."""
    headings = _HEADING.findall(_BLOCK.sub("", path.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def tracked_files() -> list[str]:
    """The paths of all files that git knows, or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(path for path in set(listed) if (ROOT / path).is_file())
