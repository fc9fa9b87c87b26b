"""What ``lapel db backup`` and ``lapel db restore`` say when they are done: to people, or to a program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lapel.cli.failures import as_object
from lapel.domain.clock import format_timestamp
from lapel.domain.json import JsonObject

if TYPE_CHECKING:  # importing these takes seconds, which `lapel --help` need not
    from lapel.maintenance.backing_up import BackedUp, Backup
    from lapel.maintenance.examining import CopyContents
    from lapel.maintenance.restoring import Restored

__all__ = ["tell_backed_up", "tell_restored"]

_SHOWN = 20


def tell_backed_up(wanted: Backup, made: BackedUp, *, in_json: bool) -> None:
    """Lines, or one object; a warning on standard error where the database's master key is not known."""
    if made.trouble is not None:
        typer.echo(f"warning: {made.trouble.code}: {made.trouble.detail}", err=True)
    if in_json:
        typer.echo(json.dumps(_backed_up_as_json(wanted, made), ensure_ascii=False))
    else:
        _show_backed_up(wanted, made)


def tell_restored(restored: Restored, *, in_json: bool) -> None:
    """Lines, or one object."""
    if in_json:
        typer.echo(json.dumps(_restored_as_json(restored), ensure_ascii=False))
    else:
        _show_restored(restored)


def _backed_up_as_json(wanted: Backup, made: BackedUp) -> JsonObject:
    if made.trouble is not None:
        key = as_object(made.trouble)
    else:
        found = made.key.file if made.key is not None else None
        key = {"ok": True, "file": _name(found), "copy": _name(wanted.key_file)}
    return {
        "ok": True,
        "file": str(wanted.file),
        "asOf": format_timestamp(made.moment),
        "bytes": made.size,
        **_held_as_json(made.holds),
        "masterKey": key,
    }


def _restored_as_json(restored: Restored) -> JsonObject:
    carried, again, valid_again = restored.carried, None, None
    if carried is not None:
        again = {"credentials": carried.erased, "apiKeys": carried.api_keys, "signingKeys": carried.signing_keys}
        valid_again = [str(credential_id) for credential_id in carried.valid_again]
    return {
        "ok": True,
        "file": _name(restored.file),
        "kept": _name(restored.kept),
        "backupSchema": restored.was,
        **_held_as_json(restored.holds),
        "statusListsClosed": restored.closed,
        "takenAwayAgain": again,
        "validAgain": valid_again,
    }


def _name(file: Path | None) -> str | None:
    return None if file is None else str(file)


def _held_as_json(holds: CopyContents) -> JsonObject:
    return {
        "schema": holds.revision,
        "rows": dict(holds.rows),
        "verifiedCredentials": holds.verified,
        "lastChanged": None if holds.newest is None else format_timestamp(holds.newest),
    }


def _show_backed_up(wanted: Backup, made: BackedUp) -> None:
    typer.echo(
        f"Backed up to {wanted.file}: all that was committed by {format_timestamp(made.moment)}, {made.size:,} bytes."
    )
    _show_held(made.holds)
    if made.key is None:
        typer.echo("The master key is not in it, and is not known here: keep a copy of the one the server uses.")
        return
    if wanted.key_file is not None:
        typer.echo(f"The master key is in {wanted.key_file}: keep the two apart, since whoever has both can sign.")
        return
    place = made.key.file or "LAPEL_MASTER_KEY"
    typer.echo(f"The master key is not in it. It is in {place}: keep a copy of it elsewhere, as both are needed.")


def _show_restored(restored: Restored) -> None:
    holds, carried = restored.holds, restored.carried
    until = "" if holds.newest is None else f", as it was when it was last changed, at {format_timestamp(holds.newest)}"
    typer.echo(f"Restored{f' to {restored.file}' if restored.file else ''}{until}.")
    _show_held(holds)
    if restored.was != holds.revision:
        typer.echo(f"The backup had schema {restored.was} and was migrated.")
    if restored.kept is not None:
        typer.echo(f"The previous database is kept as {restored.kept}.")
    if carried is not None:
        typer.echo(
            f"Done again: {carried.erased:,} credentials erased, {carried.api_keys:,} API keys revoked,"
            f" {carried.signing_keys:,} signing keys marked as compromised."
        )
    else:
        typer.echo("What was erased or revoked since the backup is not known here: do it again.")
    if carried is not None and carried.valid_again:
        shown, more = carried.valid_again[:_SHOWN], len(carried.valid_again) - _SHOWN
        typer.echo("Revoked since the backup, and valid again now; revoke them again if they should be:")
        for credential_id in shown:
            typer.echo(f"  {credential_id}")
        if more > 0:
            typer.echo(f"  and {more:,} more")
    typer.echo(
        "What was issued since the backup is no longer known, and repeated requests from that time count as new."
        f" Status lists closed, so that no position is given out twice: {restored.closed:,}."
    )


def _show_held(holds: CopyContents) -> None:
    rows, credentials = sum(holds.rows.values()), holds.rows.get("credentials", 0)
    typer.echo(
        f"Verified: schema {holds.revision}, {rows:,} rows;"
        f" {holds.verified:,} of {credentials:,} credentials one by one."
    )
