"""The command and its options; `lapel.cli.issuing.bulk` does the work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lapel.cli.arguments import OrganisationOption, principal_for
from lapel.cli.running import run
from lapel.domain.credential import CredentialFormat

if TYPE_CHECKING:
    from lapel.bootstrap import Application

__all__ = ["issue"]


def issue(
    file: Annotated[Path, typer.Argument(help="CSV or JSON Lines, in UTF-8: one row for each recipient.")],
    achievement: Annotated[str, typer.Option(help="The achievement's id or address.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check every row and show the first credentials; issue nothing.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A folder, or a .zip file, for the signed credentials and their images."),
    ] = None,
    images: Annotated[
        bool, typer.Option(help="With --output: the badge images too, each with its credential inside.")
    ] = True,
    errors: Annotated[
        Path | None,
        typer.Option(help="Where to write rows with mistakes; FILE.errors.csv by default. Nothing is overwritten."),
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="What separates cells: , or ; or | or tab. Detected by default.")
    ] = None,
    ignore_unknown: Annotated[
        bool, typer.Option("--ignore-unknown", help="Ignore columns other than those above.")
    ] = False,
    format: Annotated[CredentialFormat, typer.Option(help="How to secure the credentials.")] = (  # noqa: A002 - the option's name
        CredentialFormat.EDDSA_RDFC_2022
    ),
    organisation: OrganisationOption = None,
) -> None:
    """Issue one achievement to everybody in a file, each row once.

    Columns: email (or identity and type: email, did, url, phone); name, valid_from, valid_until, evidence_url,
    narrative, id. A row is recognised by its id, or without one by its place in exactly this file. So after an
    interruption, run the same command again: it continues where it stopped, and nobody gets a credential twice.

    Rows with mistakes are left out and written to a file of their own: correct that file, and issue it.
    """
    from lapel.cli.issuing.award_file import AwardFile
    from lapel.cli.issuing.bulk import IssueOptions, issue_all

    delimiter = "\t" if delimiter in ("tab", "\\t") else delimiter
    if delimiter is not None and len(delimiter) != 1:
        raise typer.BadParameter("One character, or the word tab.", param_hint="--delimiter")
    with AwardFile.open(file, delimiter=delimiter, ignore_unknown=ignore_unknown) as award_file:
        options = IssueOptions(
            principal=principal_for(organisation),
            achievement=achievement,
            format=format,
            dry_run=dry_run,
            output=output,
            images=images,
            errors=errors,
        )

        async def work(application: Application) -> int:
            async with await application.under_stored_public_url() as issuing:
                return await issue_all(issuing, award_file, options)

        if run(work):
            raise typer.Exit(1)
