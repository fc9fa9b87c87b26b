"""The entry point of the command line: all commands, and the handling of failures."""

from __future__ import annotations

import inspect
import re
import sys
from typing import Annotated

import typer

from lapel.cli import apikey, audit, baking, demo, erasing, issuing, keys, organisation, serving, signer, verifying
from lapel.cli.db import backups, checking, copying, recovering
from lapel.cli.db import group as database
from lapel.cli.failures import print_error
from lapel.cli.printable import spell_out_unknown_characters
from lapel.errors import LapelError

__all__ = ["app", "main"]

app = typer.Typer(
    name="lapel",
    help="Lapel, an Open Badges server: define achievements, award them as signed credentials, verify them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings are environment variables, such as LAPEL_PUBLIC_URL, SQLITE_FILE, DATABASE_URL.",
)

app.command("serve", epilog="Example: lapel serve --port 8080")(serving.serve)
database.app.command("check", epilog="Example: lapel db check")(checking.check)
database.app.command("backup", epilog="Example: lapel db backup backup.sqlite --replace")(backups.backup)
database.app.command("restore", epilog="Example: lapel db restore backup.sqlite")(backups.restore)
database.app.command("copy", epilog="Example: lapel db copy data/lapel.sqlite postgresql://lapel@db.example/lapel")(
    copying.copy_database
)
database.app.command("recover", epilog="Example: lapel db recover --database postgresql://lapel@db2.example.org/lapel")(
    recovering.recover
)
app.add_typer(database.app, name="db")
app.add_typer(apikey.app, name="apikey")
app.add_typer(organisation.app, name="organisation")
app.command("issue", epilog="Example: lapel issue class.csv --achievement 018f3c1a-… --output badges.zip")(
    issuing.issue
)
app.command("erase-recipient", epilog="Example: lapel erase-recipient ada@example.org")(erasing.erase_recipient)
app.add_typer(audit.app, name="audit")
app.add_typer(keys.app, name="keys")
app.add_typer(signer.app, name="signer")
app.command("verify", epilog="Example: lapel verify badge.png")(verifying.verify)
app.command("bake", epilog="Example: lapel bake badge.png credential.json --out baked.png")(baking.bake_image)
app.command("unbake", epilog="Example: lapel unbake baked.png")(baking.unbake_image)
app.command("demo", epilog="Example: lapel demo && lapel serve")(demo.demo)


def _reflow_help() -> None:
    """Join the lines of each paragraph in the commands' docstrings, so that help is wrapped at the terminal's width."""
    for commands in (app, *(group.typer_instance for group in app.registered_groups)):
        for command in commands.registered_commands if commands else ():
            text = command.help or inspect.getdoc(command.callback) or ""
            command.help = re.sub(r"(?<!\n)\n(?!\n)", " ", text)


_reflow_help()


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"lapel {version('lapel')}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options that come before any command."""


_command = typer.main.get_command(app)


def main() -> None:
    """Run the command that the arguments name. Exits with 1 on a failure, 2 on wrong usage."""
    spell_out_unknown_characters()
    try:
        _command()
    except LapelError as error:
        print_error(error)
        sys.exit(1)
