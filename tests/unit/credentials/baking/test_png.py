"""Baked PNG images: openbadgeslib reads ours, we read its, and damage never passes."""

from __future__ import annotations

import contextlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openbadgeslib import baking as oracle

from lapel.credentials import baking
from lapel.credentials.baking import BakedVersion, InvalidImage, InvalidPayload, NothingBaked, Unbaked
from lapel.errors import LapelError, TooLarge
from tests.support.badge_images import SIGNATURE, chunk, header, itxt, kinds, png

KEYWORDS = {BakedVersion.OB_3_0: b"openbadgecredential", BakedVersion.OB_2_0: b"openbadges"}
VERSIONS = list(KEYWORDS)
payloads = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=80).filter(
    str.strip
)


@given(payloads, st.sampled_from(VERSIONS))
def test_what_is_baked_is_what_comes_out_here_and_there(payload: str, version: BakedVersion) -> None:
    baked = baking.bake(png(), payload, version=version)

    assert oracle.extract_png(baked, keyword=KEYWORDS[version]) == payload
    assert baking.unbake(baked) == Unbaked(
        payload=payload, version=version, keyword=KEYWORDS[version].decode(), media_type="image/png"
    )


@given(payloads, st.sampled_from(VERSIONS))
def test_what_openbadgeslib_bakes_comes_out(payload: str, version: BakedVersion) -> None:
    baked = oracle.bake_png(png(), payload, "a comment", keyword=KEYWORDS[version])
    assert baking.unbake(baked).payload == payload
    assert baking.unbake(baked).version is version


def test_the_chunk_stands_after_the_header_and_all_others_stay_as_they_were() -> None:
    others = [
        chunk(b"gAMA", b"\0\0\xb1\x8f"),
        chunk(b"tEXt", b"Comment\0hand-made"),
        itxt(b"XML:com.adobe.xmp", b"<x/>"),
    ]

    baked = baking.bake(png(*others), "a.b.c")

    assert kinds(baked) == [b"IHDR", b"iTXt", b"gAMA", b"tEXt", b"iTXt", b"IDAT", b"IEND"]
    ours = itxt(b"openbadgecredential", b"a.b.c")
    assert baked.replace(ours, b"") == png(*others)


def test_baking_again_replaces_every_former_one() -> None:
    former = [itxt(b"openbadgecredential", b"old"), itxt(b"openbadgecredential", b"older", compressed=True)]
    baked = baking.bake(png(*former), "new")
    assert baked == baking.bake(png(), "new")
    assert baking.bake(baked, "new") == baked


def test_baking_2_0_replaces_the_legacy_chunk() -> None:
    baked = baking.bake(png(chunk(b"tEXt", b"openbadges\0https://old.example")), "new", version=BakedVersion.OB_2_0)
    assert baked == baking.bake(png(), "new", version=BakedVersion.OB_2_0)


def test_an_image_can_hold_both_versions_and_the_newer_comes_out() -> None:
    both = baking.bake(baking.bake(png(), "three"), "two", version=BakedVersion.OB_2_0)
    assert baking.unbake(both).payload == "three"
    assert oracle.extract_png(both) == "two"


def test_stripping_leaves_the_image_alone() -> None:
    both = baking.bake(baking.bake(png(), "three"), "two", version=BakedVersion.OB_2_0)
    assert baking.strip(both + b"what follows the end") == png()
    with pytest.raises(NothingBaked):
        baking.unbake(baking.strip(both))


def test_what_follows_the_end_is_not_carried_on() -> None:
    assert baking.bake(png() + b"<script>", "a.b.c") == baking.bake(png(), "a.b.c")


@pytest.mark.parametrize("keyword", KEYWORDS.values())
def test_compressed_text_with_a_language_is_read(keyword: bytes) -> None:
    image = png(itxt(keyword, "Señal".encode(), compressed=True, language=b"es"))
    assert baking.unbake(image).payload == "Señal"


def test_the_first_of_several_comes_out() -> None:
    image = png(itxt(b"openbadgecredential", b"first"), itxt(b"openbadgecredential", b"second"))
    assert baking.unbake(image).payload == "first"


def test_the_url_of_open_badges_1_comes_out() -> None:
    image = png(chunk(b"tEXt", b"openbadges\0https://example.org/assertion.json"))
    unbaked = baking.unbake(image)
    assert (unbaked.payload, unbaked.version) == ("https://example.org/assertion.json", BakedVersion.OB_1_0)


@pytest.mark.parametrize(
    "extra",
    [
        b"",
        itxt(b"openbadge", b"x"),
        chunk(b"iTXt", b"openbadges"),
        chunk(b"tEXt", b"openbadgecredential\0x"),
        itxt(b"openbadges", b" "),
    ],
)
def test_an_image_without_a_badge_says_so(extra: bytes) -> None:
    with pytest.raises(NothingBaked):
        baking.unbake(png(extra))


PIXELS = chunk(b"IDAT", zlib.compress(b"\0\x80"))
END = chunk(b"IEND")


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(SIGNATURE, id="only the signature"),
        pytest.param(SIGNATURE + header() + PIXELS, id="no end"),
        pytest.param(SIGNATURE + header() + END, id="no pixels"),
        pytest.param(SIGNATURE + PIXELS + header() + END, id="header not first"),
        pytest.param(SIGNATURE + chunk(b"CgBI", bytes(4)) + header() + PIXELS + END, id="Apple's variant"),
        pytest.param(SIGNATURE + header() + header() + PIXELS + END, id="two headers"),
        pytest.param(SIGNATURE + header() + PIXELS + chunk(b"IEND", b"x"), id="end with content"),
        pytest.param(SIGNATURE + chunk(b"IHDR", bytes(12)) + PIXELS + END, id="short header"),
        pytest.param(SIGNATURE + header(0, 1) + PIXELS + END, id="no width"),
        pytest.param(png()[:-1], id="cut off"),
        pytest.param(png()[:-4] + bytes(4), id="wrong check sum"),
        pytest.param(png(struct.pack(">I", 2**31) + b"tEXt"), id="length beyond the end"),
        pytest.param(png(chunk(b"t\0Xt")), id="chunk type of no letters"),
        pytest.param(png(itxt(b"openbadges", b"\xff")), id="not UTF-8"),
        pytest.param(png(chunk(b"iTXt", b"openbadges\0\0\0text")), id="no language, no translation"),
        pytest.param(png(chunk(b"iTXt", b"openbadges\0\2\0\0\0text")), id="unknown flag"),
        pytest.param(png(chunk(b"iTXt", b"openbadges\0\1\1\0\0text")), id="unknown compression"),
        pytest.param(png(chunk(b"iTXt", b"openbadges\0\1\0\0\0text")), id="damaged compression"),
        pytest.param(
            png(chunk(b"iTXt", b"openbadges\0\1\0\0\0" + zlib.compress(b"text")[:-1])), id="compression cut off"
        ),
    ],
)
def test_a_damaged_image_is_refused(image: bytes) -> None:
    with pytest.raises(InvalidImage):
        baking.unbake(image)


def test_bombs_are_refused() -> None:
    bomb = zlib.compress(bytes(50_000_000))
    for image in (
        png(chunk(b"iTXt", b"openbadgecredential\0\1\0\0\0" + bomb)),
        png(itxt(b"openbadgecredential", b"x" * 3_000_000)),
        SIGNATURE + header(20_000, 20_000) + PIXELS + END,
        png(chunk(b"tEXt", b"a\0") * 70_000),
        png() + bytes(17 * 1024 * 1024),
    ):
        with pytest.raises(TooLarge):
            baking.unbake(image)


@pytest.mark.parametrize("payload", ["", "  \n", "a\0b", "\ud800"])
def test_what_no_text_chunk_can_hold_is_not_baked(payload: str) -> None:
    with pytest.raises(InvalidPayload):
        baking.bake(png(), payload)


def test_a_payload_too_large_to_be_read_back_is_not_baked() -> None:
    with pytest.raises(TooLarge):
        baking.bake(png(), "x" * (baking.MAX_PAYLOAD_BYTES + 1))


def test_version_1_is_not_made_any_more() -> None:
    with pytest.raises(InvalidPayload):
        baking.bake(png(), "https://example.org", version=BakedVersion.OB_1_0)


def exercise(image: bytes) -> None:
    for action in (baking.unbake, baking.strip, lambda data: baking.bake(data, "a.b.c")):
        with contextlib.suppress(LapelError):
            action(image)


BAKED = baking.bake(png(itxt(b"openbadges", b"text", compressed=True)), '{"id": "x"}')


@given(st.integers(0, len(BAKED)), st.binary(max_size=6), st.integers(0, 6))
def test_a_changed_image_raises_only_our_errors(position: int, noise: bytes, removed: int) -> None:
    exercise(BAKED[:position] + noise + BAKED[position + removed :])


@given(st.binary(max_size=60), st.sampled_from([b"iTXt", b"tEXt", b"IHDR", b"IEND", b"IDAT"]), st.booleans())
def test_any_chunk_raises_only_our_errors(data: bytes, kind: bytes, ours: bool) -> None:
    exercise(png(chunk(kind, b"openbadges\0" + data if ours else data)))


def test_the_number_of_chunks_is_limited() -> None:
    """Each is looked at whenever the image is baked anew, which is once for each credential."""
    few = png(*[chunk(b"tEXt", b"a\0b")] * 8_000)

    assert baking.strip(few) == few
    with pytest.raises(TooLarge):
        baking.strip(png(*[chunk(b"tEXt", b"a\0b")] * 8_192))
