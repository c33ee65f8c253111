"""A workload's options: a frozen dataclass whose fields declare their bounds, and a command line made from it."""

import argparse
from collections.abc import Callable
from dataclasses import field, fields
from typing import Any


def number(default: int, *, most: int, least: int = 1, help: str = "") -> int:
    """A field that is an integer within these bounds."""
    metadata = {"parse": whole_number(least, most), "help": help}
    made: int = field(default=default, metadata=metadata)
    return made


def numbers(*default: int, most: int, help: str = "") -> tuple[int, ...]:
    """A field that is a list of integers, separated by commas on the command line."""
    one = whole_number(1, most)

    def parse(text: str) -> tuple[int, ...]:
        return tuple(one(part) for part in text.split(","))

    made: tuple[int, ...] = field(default=default, metadata={"parse": parse, "help": help})
    return made


def add_arguments(parser: argparse.ArgumentParser, options: Any) -> None:
    for one in fields(options):
        parser.add_argument(f"--{one.name}", type=one.metadata["parse"], help=one.metadata["help"], metavar="N")


def given(options: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """The options that the command line set."""
    named = vars(arguments)
    return {one.name: named[one.name] for one in fields(options) if one.name in named}


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """An argument parser for integers within these bounds."""

    def parse(text: str) -> int:
        if text.isascii() and text.isdigit() and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least:,} to {most:,}")

    return parse
