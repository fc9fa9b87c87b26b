"""``lapel erase-recipient``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lapel.cli.arguments import OrganisationOption, confirm, principal_for
from lapel.cli.running import run

if TYPE_CHECKING:
    from lapel.bootstrap import Application

__all__ = ["erase_recipient"]


def erase_recipient(
    identity: Annotated[str, typer.Argument(help="Who: an e-mail address, DID, URL or phone number.")],
    kind: Annotated[str, typer.Option("--type", help="What it is: email, did, url or phone.")] = "email",
    organisation: OrganisationOption = None,
    sure: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Erase every credential that was issued to somebody, for good.

    Copies that others hold then verify as revoked. A running server forgets what it has in memory within two seconds.
    """
    from lapel.services.recipient_look_up import recipient_to_find
    from lapel.services.requests import ErasedIdentity

    principal = principal_for(organisation)
    recipient = ErasedIdentity(type=kind, identity=identity)
    recipient_to_find(kind, identity)  # an invalid identity is refused before the confirmation
    if not sure:
        confirm(f"Erase every credential that was issued to {identity}, for good?")

    async def work(application: Application) -> None:
        # Endorsements of the erased credentials are found by their addresses, which begin with the server's URL.
        issuing = await application.under_stored_public_url()
        erased = await issuing.services.erasing.erase_recipient(principal, recipient)
        for credential_id in erased:
            typer.echo(issuing.services.addresses.credential(credential_id))
        typer.echo(f"Erased: {len(erased):,}.", err=True)

    run(work)
