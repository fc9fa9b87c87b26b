"""``lapel audit``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from lapel.cli.arguments import TIME, OrganisationOption, confirm, parse_reference, parse_time, principal_for
from lapel.cli.listing import every_item
from lapel.cli.printable import printable_json
from lapel.cli.running import run
from lapel.domain.audit import Action, AuditEntry
from lapel.domain.clock import format_timestamp

if TYPE_CHECKING:
    from lapel.bootstrap import Application

__all__ = ["app"]

app = typer.Typer(help="Show the audit log (who changed what, when, from where), and prune it.", no_args_is_help=True)


@app.command("list", epilog="Example: lapel audit list --action credential.revoked --since 2026-01-31")
def list_entries(
    actor: Annotated[str | None, typer.Option(help="Only what this actor did, such as api-key:018f3c1a-….")] = None,
    action: Annotated[Action | None, typer.Option(help="Only this action.", show_choices=False)] = None,
    entity: Annotated[str | None, typer.Option(help="Only what was done to the thing with this id or address.")] = None,
    since: Annotated[str | None, typer.Option(help=f"Only entries from then on: {TIME}.")] = None,
    until: Annotated[str | None, typer.Option(help=f"Only entries before then: {TIME}.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 100,
    organisation: OrganisationOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for a program.")] = False,
) -> None:
    """List what was done, newest first: when, who, from where, what, and to what."""
    entity_id = None if entity is None else parse_reference(entity)
    start, end, principal = parse_time(since), parse_time(until), principal_for(organisation)

    async def work(application: Application) -> None:
        page = application.services.audit_log.page
        read_page = partial(page, principal, actor=actor, action=action, entity_id=entity_id, since=start, until=end)
        async for entry in every_item(read_page, most=limit):
            typer.echo(printable_json(_object(entry)) if as_json else _line(entry))

    run(work)


@app.command(epilog="Example: lapel audit prune --before 2026-01-01")
def prune(
    before: Annotated[str, typer.Option(help=f"Remove what is older than this: {TIME}.")],
    organisation: OrganisationOption = None,
    sure: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Remove old entries for good. The log then says who removed them, and up to when."""
    end = parse_time(before)
    assert end is not None
    principal = principal_for(organisation)
    if not sure:
        confirm(f"Remove every entry before {format_timestamp(end)} for good?")

    async def work(application: Application) -> None:
        count = await application.services.audit_log.prune(principal, before=end)
        typer.echo(f"Removed {count:,} entries from before {format_timestamp(end)}.")

    run(work)


def _line(entry: AuditEntry) -> str:
    entity = str(entry.entity_id) if entry.entity_id else "-"
    issued = entry.details.get("issued")
    if isinstance(issued, list):
        entity = f"{len(issued)} credentials"
    return (
        f"{format_timestamp(entry.at):<24}  {entry.actor:<44}  {entry.address or '-':<15}  {entry.action:<23}  {entity}"
    )


def _object(entry: AuditEntry) -> dict[str, object]:
    return {
        "id": str(entry.id),
        "at": format_timestamp(entry.at),
        "actor": entry.actor,
        "action": entry.action.value,
        "entity": str(entry.entity_id) if entry.entity_id else None,
        "address": entry.address,
        "requestId": entry.request_id,
        **entry.details,
    }
