"""What the pages tell readers to paste works as it is; only the ports and the place of Python differ."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.install import find_node
from dev.processes import Process, wait_for
from dev.stack import ROOT, Stack
from tests.support.documents import CLIENTS, README, snippet
from tests.support.needs import skip_or_fail
from tests.support.people import Person
from tests.support.stack import embedded_stack, token_for


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A system of its own, as new as the reader's: the README's numbers are those of a first try."""
    with embedded_stack() as running:
        yield running


def lines_of_code(text: str) -> int:
    return len([line for line in text.splitlines() if line.strip()])


def environment(stack: Stack, owner: str) -> dict[str, str]:
    return {**stack.environ, "BOB": token_for(owner)}


def test_the_curl_lines_work_as_pasted(stack: Stack) -> None:
    script = 'set -eu\ncurl() { command curl --fail-with-body "$@"; echo; }\n' + snippet(README, "sh", stack)
    # Between publishing and reading a reader takes a breath; a script waits until bob has his items.
    before, reading = script.split("# the inbox of bob", 1)
    bash = ["bash", "-c", before]
    first = subprocess.run(bash, cwd=ROOT, env=stack.environ, capture_output=True, text=True, check=False, timeout=60)
    assert first.returncode == 0, first.stdout + first.stderr
    bob = Person("bob", stack)
    bob.expect_stored(4)
    set_up = ("curl()", "API=", "ALICE=", "BOB=", "SHOP=")
    tokens = "\n".join(line for line in before.splitlines() if line.startswith(set_up))
    bash = ["bash", "-c", f"set -eu\n{tokens}\n# {reading}"]
    then = subprocess.run(bash, cwd=ROOT, env=stack.environ, capture_output=True, text=True, check=False, timeout=60)
    assert then.returncode == 0, then.stdout + then.stderr
    assert "Hello bob!" in then.stdout
    assert [item["title"] for item in bob.items("unread")] == ["New boots"]
    assert len(Person("carol", stack).items()) == 2


def test_a_backend_publishes_with_the_lines_of_the_readme(stack: Stack, tmp_path: Path) -> None:
    command = run("python", snippet(README, "python", stack), tmp_path / "publish.py")
    environ = {**stack.environ, "SHOP": token_for("shop", "notify")}
    first, retry = (subprocess.check_output(command, env=environ, text=True, timeout=60) for _ in "ab")
    assert first == retry  # the same id: a retry publishes nothing twice
    wait_for(lambda: "Order 42 is on its way" in [one["title"] for one in Person("bob", stack).items()], 20, "the item")


@pytest.mark.parametrize(("language", "name"), [("python", "client.py"), ("js", "client.mjs")])
def test_a_client_of_fifteen_lines_works_as_pasted(stack: Stack, tmp_path: Path, language: str, name: str) -> None:
    code = snippet(CLIENTS, language, stack)
    assert lines_of_code(code) <= 15
    owner = f"reader of {language}"
    alice = Person("alice", stack)
    alice.message(owner, "before")
    Person(owner, stack).expect_stored(1)
    with Process(name, run(language, code, tmp_path / name), tmp_path / "log", env=environment(stack, owner)) as client:
        wait_for(lambda: "1 unread at version 1" in client.output(), 20, "the client's first line")
        shown = 0

        def shows_what_arrives() -> bool:
            """The socket may connect a moment after the first line: what came before that is in the inbox."""
            nonlocal shown
            alice.message(owner, str(shown := shown + 1))
            return "message Message from alice" in client.output()

        wait_for(shows_what_arrives, 20, "an item on the client's screen")


def run(language: str, code: str, path: Path) -> list[str]:
    path.write_text(code)
    if language == "python":
        return [sys.executable, str(path)]
    (path.parent / "node_modules").symlink_to(ROOT / "web" / "node_modules")  # as `npm install` would have made it
    node = find_node()
    if node is None:
        skip_or_fail("there is no Node.js here; `make test` installs it")
    return [str(node.program), str(path)]
