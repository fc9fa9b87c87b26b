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
_SECURED_BY = ("proof", "verification", "verify")  # of 3.0; of 2.0; of the versions before it


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
    # An assertion, of Open Badges 2.0 or before, lies in a carrier of its own.
    claims = _claims_of(payload)
    is_assertion = is_open_badge_2(claims) or older_version(claims) is not None
    version = BakedVersion.OB_2_0 if is_assertion else BakedVersion.OB_3_0
    # Of two badges in an image the newer version comes out: none of another version stays beside this one.
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
    found = unbake(read_source(image))
    typer.echo(f"Open Badges {found.version.value}, from {found.keyword!r} in {found.media_type}.", err=True)
    write_result(out, found.payload.encode() + (b"\n" if out is None else b""))


def _claims_of(payload: str) -> JsonObject:
    """What a credential says. Whether it is a good one, `lapel verify` tells.

    Raises:
        NotACredential: it is not even the shape of one.
    """
    parts = _COMPACT_JWS.fullmatch(payload)
    if parts is None:
        found = _json_object(payload)
        if "type" not in found or not any(member in found for member in _SECURED_BY):
            raise NotACredential("This JSON has no type and no proof: it is not a signed credential.")
        return found
    try:
        header, claims = (urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode() for part in parts.groups())
    except ValueError as error:
        raise NotACredential from error
    if "alg" not in _json_object(header):
        raise NotACredential
    return _json_object(claims)


def _json_object(text: str) -> JsonObject:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotACredential from error
    if not isinstance(found, dict):
        raise NotACredential
    return found
