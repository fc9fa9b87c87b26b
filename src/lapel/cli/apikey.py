"""``lapel apikey``."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from lapel.cli.arguments import TIME, OrganisationOption, parse_reference, parse_time, principal_for
from lapel.cli.listing import every_item
from lapel.cli.printable import printable
from lapel.cli.running import run
from lapel.domain.access import ROLE_SCOPES, ApiKey, Role, Scope, scopes_of
from lapel.domain.clock import format_timestamp
from lapel.errors import InvalidInput

if TYPE_CHECKING:
    from lapel.bootstrap import Application

__all__ = ["app"]

app = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)


def _roles() -> str:
    """List every role with its scopes, for the help."""
    return "\n\n".join(f"{role.value}: {', '.join(sorted(scopes))}" for role, scopes in ROLE_SCOPES.items())


_CREATE_HELP = (
    "Create a key and print it. It is shown only this once: Lapel keeps just a hash of it.\n\n"
    f"What each role may do (over HTTP, only an owner's key can create another owner's):\n\n{_roles()}"
)


@app.command(help=_CREATE_HELP, epilog='Example: lapel apikey create --role issuer --name "award script" --days 365')
def create(
    name: Annotated[str, typer.Option(help="What it is for.")] = "made on the command line",
    role: Annotated[Role, typer.Option(help="What it may do: see above.")] = Role.ADMIN,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(show_choices=False, metavar="SCOPE", help="Only this scope of the role's; may be repeated."),
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36500, help="Days until it expires; never by default.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="TIME", help=f"When it expires: {TIME}.")] = None,
    organisation: OrganisationOption = None,
) -> None:
    """Create a key and print it."""
    if days is not None and expires is not None:
        raise InvalidInput("--days and --expires exclude each other.", hint="Give one of them.")
    principal, expires_at = principal_for(organisation), parse_time(expires)

    async def work(application: Application) -> None:
        created = await application.services.api_keys.create_for(
            principal.organisation_id,
            name=name,
            role=role,
            scopes=scope or None,
            expires_at=application.services.clock() + timedelta(days=days) if days else expires_at,
        )
        typer.echo(created.secret)
        key = created.key
        until = f", usable until {format_timestamp(key.expires_at)}" if key.expires_at else ""
        only = f", its scopes {', '.join(key.scopes)}" if scope else ""
        typer.echo(f"Its id is {key.id}, its role {key.role.value}{only}{until}.", err=True)

    run(work)


@app.command("list", epilog="Example: lapel apikey list")
def list_keys(organisation: OrganisationOption = None) -> None:
    """List every key, newest first: id, role, creation, expiry, state, name, and scopes if not all of the role's.

    The keys themselves are never shown.
    """
    principal = principal_for(organisation)

    async def work(application: Application) -> None:
        services = application.services
        now = services.clock()
        async for key in every_item(partial(services.api_keys.page, principal)):
            typer.echo(_line(key, usable=key.usable(now=now)))

    run(work)


def _line(key: ApiKey, *, usable: bool) -> str:
    state = "revoked" if key.revoked_at else "usable" if usable else "expired"
    expires = f"expires {format_timestamp(key.expires_at)}" if key.expires_at else "never expires"
    created = format_timestamp(key.created_at)
    is_restricted = set(key.scopes) != scopes_of(key.role, key.organisation_id)
    only = f"  (only {', '.join(sorted(key.scopes))})" if is_restricted else ""
    return f"{key.id}  {key.role.value:<6}  {created:<24}  {expires:<32}  {state:<7}  {printable(key.name)}{only}"


@app.command(epilog="Example: lapel apikey revoke 018f3c1a-…")
def revoke(
    key_id: Annotated[
        str, typer.Argument(metavar="ID", help="The key's id, as `lapel apikey list` shows it, or its address.")
    ],
    organisation: OrganisationOption = None,
) -> None:
    """Revoke a key for good. A running server refuses it within a second."""
    principal, parsed_id = principal_for(organisation), parse_reference(key_id)

    async def work(application: Application) -> None:
        key = await application.services.api_keys.revoke(principal, parsed_id, even_the_last=True)
        typer.echo(f"{key.id} ({key.name}) is revoked.")

    run(work)
