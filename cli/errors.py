"""The errors with which a command ends."""

from typing import IO, Any

import click


class CommandFailed(click.ClickException):
    """Exit with code 1. The message is written to stderr as it is, without click's `Error:`."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.format_message(), file=file, err=True)


class InvalidUsage(CommandFailed):
    """Exit with code 2: the arguments or the environment cannot be used."""

    exit_code = 2
