"""``lapel bake`` and ``lapel unbake``."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Annotated

import typer

from lapel.cli.failures import NotACredential, UnreadableFile
from lapel.cli.files import check_apart, read_source, write_result
from lapel.domain.json import JsonObject

__all__ = ["bake_image", "unbake_image"]

_Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Where to write the result; standard output if not given.")
]

_COMPACT_JWS = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")
_SECURED_BY = ("proof", "verification", "verify")  # in Open Badges 3.0, 2.0, and before 2.0


def bake_image(
    image: Annotated[str, typer.Argument(help="A PNG or SVG file.")],
    credential: Annotated[
        str, typer.Argument(help="The signed credential: JSON or a compact JWS; - for standard input.")
    ],
    out: _Out = None,
) -> None:
    """Put a signed credential into a badge image.

    An Open Badge that is already in it is replaced.
    """
    from lapel.credentials.baking import BakedVersion, bake, strip
    from lapel.services.verifying.open_badges_1 import older_version
    from lapel.services.verifying.open_badges_2.assertion import is_open_badge_2

    check_apart(out, image, credential)
    try:
        payload = read_source(credential).decode().strip()
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{credential} is not text.", hint="A credential is JSON or a compact JWS.") from error
    # An assertion, of Open Badges 2.0 or before, is stored in an image in a different place.
    claims = _claims_of(payload)
    is_assertion = is_open_badge_2(claims) or older_version(claims) is not None
    version = BakedVersion.OB_2_0 if is_assertion else BakedVersion.OB_3_0
    # If an image has badges of two versions, the newer one is read: so any other badge has to be removed first.
    write_result(out, bake(strip(read_source(image)), payload, version=version))


def unbake_image(
    image: Annotated[str, typer.Argument(help="A baked PNG or SVG file; - for standard input.")],
    out: _Out = None,
) -> None:
    """Take the credential out of a badge image.

    It is not verified: `lapel verify` does that.
    """
    from lapel.credentials.baking import unbake

    check_apart(out, image)
    baked = unbake(read_source(image))
    typer.echo(f"Open Badges {baked.version.value}, from {baked.keyword!r} in {baked.media_type}.", err=True)
    write_result(out, baked.payload.encode() + (b"\n" if out is None else b""))


def _claims_of(payload: str) -> JsonObject:
    """Return a credential's claims, without verifying it.

    Raises:
        NotACredential: it does not have the structure of a credential.
    """
    parts = _COMPACT_JWS.fullmatch(payload)
    if parts is None:
        document = _json_object(payload)
        if "type" not in document or not any(member in document for member in _SECURED_BY):
            raise NotACredential("This JSON has no type and no proof: it is not a signed credential.")
        return document
    try:
        header, claims = (urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode() for part in parts.groups())
    except ValueError as error:
        raise NotACredential from error
    if "alg" not in _json_object(header):
        raise NotACredential
    return _json_object(claims)


def _json_object(text: str) -> JsonObject:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotACredential from error
    if not isinstance(value, dict):
        raise NotACredential
    return value
