"""``lapel keys``: the signing keys of issuers."""

from __future__ import annotations

import json
import warnings
from datetime import datetime
from enum import StrEnum
from getpass import GetPassWarning
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lapel.cli.arguments import OrganisationOption, principal_for
from lapel.cli.files import read_passphrase, read_source, write_secret_file
from lapel.cli.printable import print_coloured
from lapel.cli.running import run
from lapel.domain.clock import format_timestamp
from lapel.domain.identifiers import parse_id
from lapel.domain.signing_key import KeyAlgorithm, KeyState, SigningKey
from lapel.errors import FieldError, InvalidInput

if TYPE_CHECKING:
    from uuid import UUID

    from lapel.bootstrap import Application

__all__ = ["app"]

app = typer.Typer(help="Manage the signing keys of issuers.", no_args_is_help=True)

_Issuer = Annotated[str, typer.Argument(metavar="ISSUER", help="The issuer's id, address or DID.")]
_Key = Annotated[str, typer.Argument(metavar="KEY", help="The key's id, as `lapel keys list` shows it.")]
_PassphraseFile = Annotated[
    Path | None, typer.Option(help="A file that holds the passphrase; you are asked for it otherwise.")
]


class Form(StrEnum):
    """The file format of a private key."""

    PEM = "pem"
    JWK = "jwk"


@app.command("list", epilog="Example: lapel keys list 018f3c1a-…")
def list_keys(issuer: _Issuer, organisation: OrganisationOption = None) -> None:
    """List every key that an issuer has ever had, oldest first: id, algorithm, state, where it is held, and times."""
    principal = principal_for(organisation)

    async def work(application: Application) -> None:
        for key in await application.services.signing_keys.of_issuer(principal, await _issuer_id(application, issuer)):
            typer.echo(_line(key))

    run(work)


@app.command(epilog="Example: lapel keys rotate 018f3c1a-…")
def rotate(
    issuer: _Issuer,
    algorithm: Annotated[KeyAlgorithm, typer.Option(help="Which of its keys.")] = KeyAlgorithm.ED25519,
    organisation: OrganisationOption = None,
) -> None:
    """Create a new key, which signs from now on. What the old one signed stays valid."""
    principal = principal_for(organisation)

    async def work(application: Application) -> None:
        key = await application.services.signing_keys.rotate(
            principal, await _issuer_id(application, issuer), algorithm
        )
        typer.echo(_line(key))

    run(work)


@app.command(epilog="Example: lapel keys retire 018f3c1a-… 018f3c1b-…")
def retire(issuer: _Issuer, key: _Key, organisation: OrganisationOption = None) -> None:
    """Stop signing with a key. What it signed stays valid."""
    principal = principal_for(organisation)

    async def work(application: Application) -> None:
        retired = await application.services.signing_keys.retire(
            principal, await _issuer_id(application, issuer), parse_id(key)
        )
        typer.echo(_line(retired))

    run(work)


@app.command(epilog="Example: lapel keys compromise 018f3c1a-… 018f3c1b-… --since 2026-01-31T12:00:00Z")
def compromise(
    issuer: _Issuer,
    key: _Key,
    since: Annotated[
        str | None,
        typer.Option(
            help="Signatures from then on are not trusted, such as 2026-01-31T12:00:00Z; by default in two seconds."
        ),
    ] = None,
    organisation: OrganisationOption = None,
) -> None:
    """Mark a key as compromised: it stops signing, and nothing it signed with a later date verifies any more."""
    principal, since_time = principal_for(organisation), None if since is None else _parse_since(since)

    async def work(application: Application) -> None:
        service = application.services.signing_keys
        changed = await service.compromise(
            principal, await _issuer_id(application, issuer), parse_id(key), since=since_time
        )
        typer.echo(_line(changed))
        typer.echo(
            "A thief can write any date: revoke the badges with an earlier date that you do not recognise.", err=True
        )

    run(work)


@app.command("import", epilog="Example: lapel keys import 018f3c1a-… key.pem")
def import_key(
    issuer: _Issuer,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A private key: PEM (PKCS #8) or JWK.")],
    passphrase_file: _PassphraseFile = None,
    organisation: OrganisationOption = None,
) -> None:
    """Import a key made elsewhere, to sign from now on. If an outside signer holds it, give its public half."""
    from lapel.credentials.key_storage.key_files import ENCRYPTED, read_key

    principal = principal_for(organisation)
    data = read_source(file)
    passphrase = _passphrase(passphrase_file, confirm=False) if data.lstrip().startswith(ENCRYPTED) else None
    imported = read_key(data, passphrase=passphrase)

    async def work(application: Application) -> None:
        key = await application.services.signing_keys.import_key(
            principal,
            await _issuer_id(application, issuer),
            public_key=imported.public_key,
            private_key=imported.private_key,
        )
        typer.echo(_line(key))

    run(work)


@app.command(epilog="Example: lapel keys export 018f3c1b-… --out key.pem")
def export(
    key: _Key,
    out: Annotated[Path, typer.Option(help="The file to create, readable only by its owner.")],
    passphrase_file: _PassphraseFile = None,
    unencrypted: Annotated[
        bool, typer.Option("--unencrypted", help="Do not encrypt it: whoever reads the file has the key.")
    ] = False,
    form: Annotated[Form, typer.Option(help="A JWK is never encrypted.")] = Form.PEM,
    organisation: OrganisationOption = None,
) -> None:
    """Write a private key to a file, encrypted under a passphrase. Whoever opens it can sign in the issuer's name."""
    from lapel.credentials.key_storage.key_files import private_jwk, private_pem

    if form is Form.JWK and not unencrypted:
        raise InvalidInput("A JWK cannot be encrypted here.", hint="Add --unencrypted, or leave --form out.")
    principal, key_id = principal_for(organisation), parse_id(key)
    passphrase = None if unencrypted else _passphrase(passphrase_file, confirm=True)

    async def work(application: Application) -> None:
        private = await application.services.signing_keys.private_half(principal, key_id)
        if form is Form.JWK:
            content = json.dumps(private_jwk(private), indent=2).encode() + b"\n"
        else:
            content = private_pem(private, passphrase=passphrase)
        write_secret_file(out, content)
        if unencrypted:
            print_coloured(
                f"warning: {out} is NOT encrypted: whoever reads it can sign in the issuer's name.",
                typer.colors.YELLOW,
            )

    run(work)


@app.command("rotate-master", epilog="Example: lapel keys rotate-master")
def rotate_master(
    new_file: Annotated[
        Path | None,
        typer.Option(help="The new master key's file, created if it is missing. Needed if LAPEL_MASTER_KEY is set."),
    ] = None,
) -> None:
    """Re-encrypt every private key under a new master key. Then restart the servers.

    A master key in a file is replaced there. The old one is kept beside it, for the backups that were made under it.
    """

    async def work(application: Application) -> None:
        result = await application.master_key.rotate(application.database, new_file=new_file)
        typer.echo(f"Every private key ({result.keys}) is encrypted under the new master key in {result.file}.")
        if new_file is not None:
            typer.echo(
                f"Set LAPEL_MASTER_KEY_FILE={result.file} from now on, and no longer LAPEL_MASTER_KEY.", err=True
            )
        if result.old_file is not None:
            typer.echo(f"The old one is in {result.old_file}: delete it once no backup needs it.", err=True)
        typer.echo(
            "Restart every running server, and back up the new key; existing backups need the old one.", err=True
        )

    run(work)


async def _issuer_id(application: Application, text: str) -> UUID:
    """Return the issuer's id, by its id, its DID, or its address; the server in the address is not checked."""
    if text.startswith("did:"):
        return await application.services.issuers.id_of(text)
    try:
        return parse_id(text.rpartition("/v3/issuers/")[2])
    except InvalidInput as error:
        raise InvalidInput(error.detail, hint="Use its UUID, bare or as urn:uuid:…, its address or its DID.") from error


def _line(key: SigningKey) -> str:
    place = "outside" if key.private_key_encrypted is None else "here"
    when = f"since {format_timestamp(key.created_at)}"
    if key.retired_at is not None:
        when += f", until {format_timestamp(key.retired_at)}"
    if key.state is KeyState.COMPROMISED and key.compromised_at is not None:
        when += f", not believed from {format_timestamp(key.compromised_at)} on"
    return f"{key.id}  {key.algorithm.value:<7}  {key.state.value:<11}  {place:<7}  {when}"


def _parse_since(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        detail = "must be a time such as 2026-01-31T12:00:00Z"
        raise InvalidInput(f"--since {detail}.", errors=[FieldError("/since", detail, "bad_time")]) from error


def _passphrase(file: Path | None, *, confirm: bool) -> bytes:
    if file is not None:
        return read_passphrase(file)
    with warnings.catch_warnings():
        warnings.simplefilter("error", GetPassWarning)
        try:
            passphrase: str = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
        except GetPassWarning:
            hint = "Write it to a file, and name that with --passphrase-file."
            raise InvalidInput("There is no terminal to ask for the passphrase.", hint=hint) from None
    return passphrase.encode()
