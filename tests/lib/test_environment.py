"""A setting is one line in a dataclass: its type, its default, who uses it, and the errors about it."""

from dataclasses import dataclass

import pytest

from lib.environment import InvalidSetting, Problems, choice, number, optional, read, used_by, variable, with_sources


def words(text: str) -> tuple[str, ...]:
    wrong = [word for word in text.split() if not word.islower()]
    if wrong or not text:
        raise InvalidSetting(*(f"holds {word}" for word in wrong or ["nothing"]))
    return tuple(text.split())


@dataclass(frozen=True)
class Settings:
    port: int = variable(number("port number", 1, 99), "80", used_by={"server"})
    url: str = variable(str, "http://localhost:{port}", used_by={"server", "worker"})
    mode: str | None = variable(optional(choice("a", "b")), used_by={"worker"})
    words: tuple[str, ...] = variable(words, used_by={"worker"})


def problems_of(environ: dict[str, str], process: str) -> list[str]:
    problems = Problems(with_sources(Settings, environ, used_by(Settings, process)))
    read(Settings, environ, problems)
    return problems.messages


def test_an_empty_variable_has_its_default() -> None:
    settings = read(Settings, {"WORDS": "x y", "PORT": "", "MODE": ""}, Problems(()))
    assert settings == Settings(80, "http://localhost:80", None, ("x", "y"))


def test_a_default_may_be_made_from_another_variable() -> None:
    assert read(Settings, {"PORT": " 8 "}, Problems(())).url == "http://localhost:8"
    assert problems_of({"PORT": "x", "WORDS": "x"}, "worker") == ["PORT is 'x'; set a port number from 1 to 99"]
    assert problems_of({"PORT": "x", "WORDS": "x", "URL": "y"}, "worker") == []


@pytest.mark.parametrize("text", ["1_0", "8.0", "+8", "-1", "0", "100", "٣", " "])
def test_a_number_is_decimal_digits_within_its_bounds(text: str) -> None:
    assert problems_of({"PORT": text}, "server") == [f"PORT is {text!r}; set a port number from 1 to 99"]


def test_every_problem_of_every_variable_is_listed() -> None:
    wrong = {"MODE": "c", "WORDS": "A b C"}
    assert problems_of(wrong, "worker") == ["MODE is 'c'; set one of a, b", "WORDS holds A", "WORDS holds C"]
    assert problems_of({}, "worker") == ["WORDS holds nothing"]


def test_a_variable_of_another_process_is_not_judged_and_has_its_default() -> None:
    assert problems_of({"MODE": "c"}, "server") == []
    settings = read(Settings, {"MODE": "c", "PORT": "x", "WORDS": "x"}, Problems(()))
    assert settings == Settings(80, "http://localhost:80", None, ("x",))
