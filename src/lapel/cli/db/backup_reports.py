"""The output of ``lapel db backup`` and ``lapel db restore``, for people or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lapel.cli.failures import error_object
from lapel.cli.printable import printable_json
from lapel.domain.clock import format_timestamp
from lapel.domain.json import JsonObject

if TYPE_CHECKING:  # importing these takes seconds, which `lapel --help` need not
    from lapel.maintenance.backing_up import BackedUp, Backup
    from lapel.maintenance.examining import CopyContents
    from lapel.maintenance.restoring import Restored

__all__ = ["print_backup", "print_restored"]

_MAX_LISTED = 20


def print_backup(backup: Backup, result: BackedUp, *, as_json: bool) -> None:
    """Print the result of a backup, and a warning on standard error if the database's master key is not known.

    Args:
        backup: the options of the command.
    """
    if result.key_error is not None:
        typer.echo(f"warning: {result.key_error.code}: {result.key_error.detail}", err=True)
    if as_json:
        typer.echo(printable_json(_backup_as_json(backup, result)))
    else:
        _show_backup(backup, result)


def print_restored(restored: Restored, *, as_json: bool) -> None:
    """Print the result of a restore."""
    if as_json:
        typer.echo(printable_json(_restored_as_json(restored)))
    else:
        _show_restored(restored)


def _backup_as_json(backup: Backup, result: BackedUp) -> JsonObject:
    if result.key_error is not None:
        key = error_object(result.key_error)
    else:
        key_file = result.key.file if result.key is not None else None
        key = {"ok": True, "file": _name(key_file), "copy": _name(backup.key_file)}
    return {
        "ok": True,
        "file": str(backup.file),
        "asOf": format_timestamp(result.moment),
        "bytes": result.size,
        **_content_as_json(result.contents),
        "masterKey": key,
    }


def _restored_as_json(restored: Restored) -> JsonObject:
    carried, taken_away_again, valid_again = restored.carried, None, None
    if carried is not None:
        taken_away_again = {
            "credentials": carried.erased,
            "apiKeys": carried.api_keys,
            "signingKeys": carried.signing_keys,
        }
        valid_again = [str(credential_id) for credential_id in carried.valid_again]
    return {
        "ok": True,
        "file": _name(restored.file),
        "kept": _name(restored.kept),
        "backupSchema": restored.was,
        **_content_as_json(restored.contents),
        "statusListsClosed": restored.closed,
        "takenAwayAgain": taken_away_again,
        "validAgain": valid_again,
    }


def _name(file: Path | None) -> str | None:
    return None if file is None else str(file)


def _content_as_json(content: CopyContents) -> JsonObject:
    return {
        "schema": content.revision,
        "rows": dict(content.rows),
        "verifiedCredentials": content.verified,
        "lastChanged": None if content.newest is None else format_timestamp(content.newest),
    }


def _show_backup(backup: Backup, result: BackedUp) -> None:
    moment = format_timestamp(result.moment)
    typer.echo(f"Backed up to {backup.file}: all that was committed by {moment}, {result.size:,} bytes.")
    _show_content(result.contents)
    if result.key is None:
        typer.echo("The master key is not in it, and is not known here: keep a copy of the one the server uses.")
        return
    if backup.key_file is not None:
        typer.echo(f"The master key is in {backup.key_file}: keep the two apart, since whoever has both can sign.")
        return
    place = result.key.file or "LAPEL_MASTER_KEY"
    typer.echo(f"The master key is not in it. It is in {place}: keep a copy of it elsewhere, as both are needed.")


def _show_restored(restored: Restored) -> None:
    content, carried = restored.contents, restored.carried
    until = ""
    if content.newest is not None:
        until = f", as it was when it was last changed, at {format_timestamp(content.newest)}"
    typer.echo(f"Restored{f' to {restored.file}' if restored.file else ''}{until}.")
    _show_content(content)
    if restored.was != content.revision:
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
        typer.echo("Revoked since the backup, and valid again now; revoke them again if they should be:")
        for credential_id in carried.valid_again[:_MAX_LISTED]:
            typer.echo(f"  {credential_id}")
        if (more := len(carried.valid_again) - _MAX_LISTED) > 0:
            typer.echo(f"  and {more:,} more")
    typer.echo(
        "What was issued since the backup is no longer known, and repeated requests from that time count as new."
        f" Status lists closed, so that no position is given out twice: {restored.closed:,}."
    )


def _show_content(content: CopyContents) -> None:
    rows, credentials = sum(content.rows.values()), content.rows.get("credentials", 0)
    typer.echo(
        f"Verified: schema {content.revision}, {rows:,} rows;"
        f" {content.verified:,} of {credentials:,} credentials one by one."
    )
