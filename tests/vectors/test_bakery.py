"""The published images of the Open Badges bakery and validator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lxml import etree
from openbadgeslib import baking as oracle

from lapel.credentials import baking
from lapel.credentials.baking import BakedVersion, NothingBaked

URL = "http://example.org"
UNBAKED = ["unbaked.png", "public_domain_heart.png", "unbaked.svg", "logo*.svg"]


def image(vectors: Path, name: str) -> bytes:
    [path] = (vectors / "bakery").glob(name)  # a name there is in decomposed Unicode
    return path.read_bytes()


def test_the_baked_svg_gives_its_assertion_and_its_url(vectors: Path) -> None:
    unbaked = baking.unbake(image(vectors, "baked.svg"))
    assert unbaked.version is BakedVersion.OB_2_0
    assert json.loads(unbaked.payload) == {"verify": {"url": URL}}
    assert unbaked.verify == URL


def test_a_body_that_is_no_json_is_handed_over_with_the_url(vectors: Path) -> None:
    unbaked = baking.unbake(image(vectors, "bad-json.svg"))
    with pytest.raises(ValueError, match="Expecting property name"):
        json.loads(unbaked.payload)
    assert unbaked.verify == URL


def test_an_empty_body_gives_the_url(vectors: Path) -> None:
    assert baking.unbake(image(vectors, "no-json.svg")).payload == URL


@pytest.mark.parametrize("name", UNBAKED)
def test_an_unbaked_image_says_so(vectors: Path, name: str) -> None:
    with pytest.raises(NothingBaked):
        baking.unbake(image(vectors, name))


@pytest.mark.parametrize("version", [BakedVersion.OB_3_0, BakedVersion.OB_2_0])
@pytest.mark.parametrize("payload", ["a.b.c", '{"id": "https://example.org/1"}'])
@pytest.mark.parametrize("name", [*UNBAKED, "baked.svg"])
def test_each_image_can_be_baked_and_stripped_again(
    vectors: Path, name: str, payload: str, version: BakedVersion
) -> None:
    original = image(vectors, name)

    baked = baking.bake(original, payload, version=version)

    assert baking.unbake(baked).payload == payload
    stripped = baking.strip(baked)
    if name.endswith(".png"):
        keyword = b"openbadgecredential" if version is BakedVersion.OB_3_0 else b"openbadges"
        assert oracle.extract_png(baked, keyword=keyword) == payload
        assert stripped == original
    else:
        titles = [element.tag for element in etree.fromstring(stripped).iter()]
        assert titles == [element.tag for element in etree.fromstring(baking.strip(original)).iter()]
