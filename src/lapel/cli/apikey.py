"""``lapel apikey``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer

from lapel.bootstrap import Application
from lapel.cli.running import OPERATOR, run
from lapel.domain.access import ApiKey, Role
from lapel.domain.clock import format_timestamp
from lapel.domain.identifiers import parse_id
from lapel.services.paging import LARGEST_PAGE

__all__ = ["app"]

app = typer.Typer(help="API keys: who may use the management interface.", no_args_is_help=True)


@app.command(epilog='Example: lapel apikey create --role issuer --name "award script"')
def create(
    name: Annotated[str, typer.Option(help="What it is for.")] = "made on the command line",
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.ADMIN,
    days: Annotated[
        int | None, typer.Option(min=1, max=36500, help="Days until it expires; never if not given.")
    ] = None,
) -> None:
    """Make a key and print it: this once, for only a hash of it is kept."""

    async def work(application: Application) -> None:
        expires_at = application.services.clock() + timedelta(days=days) if days else None
        created = await application.services.api_keys.create_for(
            OPERATOR.organisation_id, name=name, role=role, expires_at=expires_at
        )
        typer.echo(created.secret)
        typer.echo(f"Its id is {created.key.id}, its role {created.key.role.value}.", err=True)

    run(work)


@app.command("list", epilog="Example: lapel apikey list")
def list_keys() -> None:
    """Show every key, newest first: never the key itself."""

    async def work(application: Application) -> list[tuple[ApiKey, bool]]:
        now = application.services.clock()
        keys: list[tuple[ApiKey, bool]] = []
        before: UUID | None = None
        while True:
            page = await application.services.api_keys.page(OPERATOR, before=before, limit=LARGEST_PAGE)
            keys += [(key, key.usable(now=now)) for key in page.items]
            if page.next is None:
                return keys
            before = page.next

    for key, usable in run(work):
        state = "revoked" if key.revoked_at else "usable" if usable else "expired"
        name = "".join(character if character.isprintable() else "?" for character in key.name)
        typer.echo(f"{key.id}  {key.role.value:<6}  {format_timestamp(key.created_at):<24}  {state:<7}  {name}")


@app.command(epilog="Example: lapel apikey revoke 018f3c1a-…")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `lapel apikey list` shows it.")],
) -> None:
    """Make a key useless, at once and for ever."""
    wanted = parse_id(key_id)

    async def work(application: Application) -> None:
        key = await application.services.api_keys.revoke(OPERATOR, wanted)
        typer.echo(f"{key.id} ({key.name}) is revoked.")

    run(work)
