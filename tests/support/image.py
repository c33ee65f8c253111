"""The files that the Dockerfile copies into the image, without an engine."""

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from dev.stack import ROOT

FROM_WEB = "--from=web"
FROM_PACKAGES = "--from=packages"  # tests use the packages of their own environment instead


def copy_files(folder: Path) -> None:
    """Copy the files that the last stage copies into its working directory."""
    for instruction, *arguments in last_stage():
        if instruction != "COPY" or arguments[0] == FROM_PACKAGES:
            continue
        *sources, target = (argument for argument in arguments if argument != FROM_WEB)
        for source in sources:
            is_available = FROM_WEB in arguments or is_in_build_context(source)
            assert is_available, f".dockerignore excludes {source} from the build context"
            _copy(ROOT / source.removeprefix("/"), folder / target)


def environment() -> dict[str, str]:
    """The variables that the image sets, except PATH."""
    pairs = [argument.split("=", 1) for instruction, *rest in last_stage() if instruction == "ENV" for argument in rest]
    return {name: value for name, value in pairs if name != "PATH"}


def last_stage() -> Iterator[list[str]]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [shlex.split(line, comments=True) for line in text.rpartition("\nFROM ")[2].splitlines()[1:]]
    return (line for line in lines if line)


def is_in_build_context(source: str) -> bool:
    """Whether .dockerignore, a list of exceptions to `*`, includes this file."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    return any(Path(source).is_relative_to(rule[1:]) for rule in rules if rule.startswith("!"))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
