"""``lapel organisation``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from lapel.cli.listing import every_item
from lapel.cli.printable import printable
from lapel.cli.running import OPERATOR, run
from lapel.domain.clock import format_timestamp

if TYPE_CHECKING:
    from lapel.bootstrap import Application

__all__ = ["app"]

app = typer.Typer(help="Manage organisations, each with issuers and API keys of its own.", no_args_is_help=True)


@app.command(epilog='Example: lapel organisation create "Riverside School"')
def create(name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")]) -> None:
    """Create an organisation, and print its first API key, an owner's. It is shown only this once."""

    async def work(application: Application) -> None:
        organisation, first = await application.services.organisations.create(OPERATOR, name)
        typer.echo(first.secret)
        typer.echo(f"The organisation's id is {organisation.id}; its first key's is {first.key.id}.", err=True)

    run(work)


@app.command("list", epilog="Example: lapel organisation list")
def list_organisations() -> None:
    """List every organisation, newest first: id, creation, name."""

    async def work(application: Application) -> None:
        async for organisation in every_item(partial(application.services.organisations.page, OPERATOR)):
            created = format_timestamp(organisation.created_at)
            typer.echo(f"{organisation.id}  {created:<24}  {printable(organisation.name)}")

    run(work)
