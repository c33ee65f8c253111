"""Settings declared as the fields of a dataclass, one line for each environment variable.

    @dataclass(frozen=True)
    class Settings:
        api_port: int = variable(number("port number", 1, 65_535), "8000", used_by={"api"})

The variable has the name of the field in upper case. A variable that is empty counts as not set.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from string import Formatter
from typing import Any, TypeVar

T = TypeVar("T")


class InvalidSetting(ValueError):
    """The value of a variable cannot be used.

    Each argument is a message that continues after the variable's name, such as "is 'x'; set …". It never repeats what
    may be a secret.
    """


@dataclass(frozen=True)
class Variable:
    """How a variable is read. `default` may refer to fields that are declared before, such as `{api_port}`."""

    parse: Callable[[str], Any]
    default: str
    used_by: frozenset[str]

    @property
    def sources(self) -> list[str]:
        """The variables that the default is made from."""
        return [name.upper() for _, name, _, _ in Formatter().parse(self.default) if name]


def variable(parse: Callable[[str], T], default: str = "", *, used_by: Collection[str]) -> T:
    """Declare a field. `parse` raises `InvalidSetting`; a variable without a default is parsed from an empty text."""
    declared: T = field(metadata={"variable": Variable(parse, default, frozenset(used_by))})
    return declared


def variables(settings: type) -> dict[str, Variable]:
    """The declared variables by their names in the environment, in the order of the fields."""
    return {each.name.upper(): each.metadata["variable"] for each in fields(settings)}


def used_by(settings: type, process: str) -> frozenset[str]:
    return frozenset(name for name, declared in variables(settings).items() if process in declared.used_by)


class Problems:
    """Collects the problems with the variables that a process uses; problems with others are ignored."""

    def __init__(self, used: Iterable[str]) -> None:
        self.used = frozenset(used)
        self.messages: list[str] = []

    def add(self, name: str, *messages: str) -> None:
        if name in self.used:
            self.messages += messages


def with_sources(settings: type, environ: Mapping[str, str], used: Collection[str]) -> set[str]:
    """Add the variables that the defaults of unset variables are made from."""
    declared = variables(settings)
    return {*used, *(source for name in used if not environ.get(name) for source in declared[name].sources)}


def read(settings: type[T], environ: Mapping[str, str], problems: Problems) -> T:
    """Parse every variable. One that cannot be used is added to `problems`, and its field holds the default."""
    values: dict[str, Any] = {}
    for name, declared in variables(settings).items():
        default = declared.default.format_map(values)
        try:
            value = declared.parse(environ.get(name) or default)
        except InvalidSetting as error:
            problems.add(name, *(f"{name} {message}" for message in error.args))
            value = _parse_default(declared, default)
        values[name.lower()] = value
    return settings(**values)


def _parse_default(declared: Variable, default: str) -> Any:
    try:
        return declared.parse(default)
    except InvalidSetting:  # a required variable has none
        return ""


def number(kind: str, least: int, most: int) -> Callable[[str], int]:
    """A decimal number. `kind` names the number in the error, such as "port number"."""

    def parse(text: str) -> int:
        digits = text.strip()
        if digits.isascii() and digits.isdigit() and least <= int(digits) <= most:
            return int(digits)
        raise InvalidSetting(f"is {text!r}; set a {kind} from {least} to {most}")

    return parse


def choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise InvalidSetting(f"is {text!r}; set one of {', '.join(allowed)}")
        return text

    return parse


def optional(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    """None where the variable is not set."""
    return lambda text: parse(text) if text else None
