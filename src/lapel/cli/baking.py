"""``lapel bake`` and ``lapel unbake``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lapel.cli.failures import UnreadableFile
from lapel.cli.files import read_source, write_result
from lapel.credentials.baking import BakedVersion, bake, unbake

__all__ = ["bake_image", "unbake_image"]

_Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Where to write the result; standard output if not given.")
]


def bake_image(
    image: Annotated[str, typer.Argument(help="A PNG or SVG file.")],
    credential: Annotated[
        str, typer.Argument(help="The signed credential: JSON or a compact JWS; - for standard input.")
    ],
    out: _Out = None,
) -> None:
    """Put a signed credential into a badge image. An Open Badge that was in it is replaced."""
    try:
        payload = read_source(credential).decode()
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{credential} is not text.", hint="A credential is JSON or a compact JWS.") from error
    # An Open Badges 2.0 assertion lies in a carrier of its own.
    version = BakedVersion.OB_2_0 if "w3id.org/openbadges/v2" in payload else BakedVersion.OB_3_0
    write_result(out, bake(read_source(image), payload.strip(), version=version))


def unbake_image(
    image: Annotated[str, typer.Argument(help="A baked PNG or SVG file; - for standard input.")],
    out: _Out = None,
) -> None:
    """Take the credential out of a badge image. It is not verified: `lapel verify` does that."""
    write_result(out, unbake(read_source(image)).payload.encode() + (b"\n" if out is None else b""))
