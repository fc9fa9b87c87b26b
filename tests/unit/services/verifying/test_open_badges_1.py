"""Badges that are older than 2.0: taken out of their images, shown, and called what they are."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

import pytest

from lapel.services.verifying import Kind
from tests.support.badge_images import png
from tests.unit.services.verifying.badges_2 import jws
from tests.unit.services.verifying.world import World, outcome

HOME = "https://school.example/badges/7.json"
RECIPIENT = {"type": "email", "hashed": True, "salt": "s", "identity": "sha256$aa"}

VERSION_1_1: dict[str, Any] = {
    "@context": "https://w3id.org/openbadges/v1",
    "type": "Assertion",
    "id": HOME,
    "uid": "7",
    "recipient": RECIPIENT,
    "badge": "https://school.example/chess.json",
    "verify": {"type": "hosted", "url": HOME},
    "issuedOn": "2015-05-01T00:00:00Z",
}
VERSION_1_0: dict[str, Any] = {
    "uid": "7",
    "recipient": RECIPIENT,
    "badge": "https://school.example/chess.json",
    "verify": {"type": "signed", "url": "https://school.example/key.pem"},
    "issuedOn": 1430438400,
}
VERSION_0_5: dict[str, Any] = {
    "recipient": "sha256$aa",
    "badge": {
        "version": "0.5.0",
        "name": "Chess",
        "issuer": {"origin": "https://school.example", "name": "The School"},
    },
    "issued_on": "2012-05-01",
}


@pytest.mark.parametrize(
    ("version", "document"),
    [("1.1", VERSION_1_1), ("1.0", VERSION_1_0), ("0.5", VERSION_0_5)],
    ids=["1.1", "1.0", "0.5"],
)
async def test_an_older_badge_is_called_what_it_is(world: World, version: str, document: dict[str, Any]) -> None:
    report = await world.verify(document)

    assert report.valid is None
    assert outcome(report, "structure") == ("unknown", "older_version")
    assert f"version {version}" in report.checks[0].sentence
    assert (report.shown.kind, report.shown.recipient) == (Kind.BADGE_1, "hashed email")
    json.dumps(report.to_json())


async def test_a_signed_one_is_too(world: World) -> None:
    assert outcome(await world.verify(jws(world, VERSION_1_0)), "structure") == ("unknown", "older_version")


def with_text_chunk(text: str) -> bytes:
    """A PNG as images were baked before 2013: a tEXt chunk with the assertion's address."""
    image = png()
    data = b"tEXtopenbadges\x00" + text.encode()
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    end = image.rindex(b"IEND") - 4
    return image[:end] + chunk + image[end:]


async def test_an_image_with_the_address_of_one_is_followed_there(world: World) -> None:
    world.web.publish(HOME, VERSION_1_1)

    report = await world.verify(with_text_chunk(HOME))

    assert outcome(report, "structure") == ("unknown", "older_version")
    assert report.shown.credential_id == HOME


async def test_what_shows_its_recipient_shows_it_here(world: World) -> None:
    plain = {**VERSION_1_0, "recipient": {"type": "email", "hashed": False, "identity": "ada@example.org"}}

    assert (await world.verify(plain)).shown.recipient == "ada@example.org"
