"""Baked SVG images: openbadgeslib reads ours, we read its, and XML's traps stay shut."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from openbadgeslib import baking as oracle

from lapel.credentials import baking
from lapel.credentials.baking import BakedVersion, InvalidImage, InvalidPayload, NothingBaked, Unbaked
from lapel.errors import LapelError, TooLarge
from tests.support.badge_images import SVG

ELEMENTS = {
    BakedVersion.OB_3_0: ("openbadges:credential", "https://purl.imsglobal.org/ob/v3p0"),
    BakedVersion.OB_2_0: ("openbadges:assertion", "http://openbadges.org"),
}
VERSIONS = list(ELEMENTS)
JWS = "eyJhbGciOiJFZERTQSJ9.eyJpZCI6ICJ4In0.c2lnbmF0dXJl"
JSON = '{"id": "https://example.org/1", "name": "Caf\u00e9 <b> & \\"quotes\\""}'
# What JSON may hold as it stands and XML too.
texts = st.text(
    st.characters(min_codepoint=32, exclude_characters="\x7f\ufffe\uffff", exclude_categories=["Cs"]), max_size=60
)


def svg(inside: bytes = b"", *, before: bytes = b"", attributes: bytes = b"") -> bytes:
    return before + b'<svg xmlns="http://www.w3.org/2000/svg" ' + attributes + b">" + inside + b"</svg>"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("payload", [JWS, JSON])
def test_what_is_baked_is_what_comes_out_here_and_there(payload: str, version: BakedVersion) -> None:
    name, namespace = ELEMENTS[version]

    baked = baking.bake(SVG, payload, version=version)

    root = etree.fromstring(baked)
    assert root.nsmap["openbadges"] == namespace
    assert root[0].tag == f"{{{namespace}}}{name.partition(':')[2]}"
    unbaked = baking.unbake(baked)
    assert (unbaked.payload, unbaked.version, unbaked.keyword) == (payload, version, name)
    assert unbaked.media_type == "image/svg+xml"
    if payload is JWS or version is BakedVersion.OB_3_0:
        assert oracle.extract_svg(baked, element=name, text_fallback=True) == payload
        assert unbaked.verify is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("payload", [JWS, JSON])
def test_what_openbadgeslib_bakes_comes_out(payload: str, version: BakedVersion) -> None:
    element, namespace = ELEMENTS[version]
    baked = oracle.bake_svg(SVG, payload, "comment", element=element, namespace=namespace, as_text=payload is JSON)
    assert baking.unbake(baked) == Unbaked(
        payload=payload, version=version, keyword=element, media_type="image/svg+xml"
    )


@given(texts, st.sampled_from(VERSIONS))
def test_json_of_any_text_comes_out_as_it_went_in(text: str, version: BakedVersion) -> None:
    payload = json.dumps({"name": text, "end": "]]>"}, ensure_ascii=False)
    assert baking.unbake(baking.bake(SVG, payload, version=version)).payload == payload


def test_json_stands_in_cdata_without_a_verify_attribute() -> None:
    baked = baking.bake(SVG, JSON)
    assert f"<openbadges:credential><![CDATA[{JSON}]]></openbadges:credential>".encode() in baked


def test_json_with_line_ends_of_windows_comes_out_as_it_went_in() -> None:
    payload = '{\r\n  "a": 1\r\n}'
    assert baking.unbake(baking.bake(SVG, payload)).payload == payload


@pytest.mark.parametrize(
    "assertion",
    [
        {"id": "https://example.org/1"},
        {"id": "urn:uuid:1", "verify": {"type": "hosted", "url": "https://example.org/1"}},
    ],
)
def test_a_hosted_assertion_names_its_url(assertion: dict[str, object]) -> None:
    unbaked = baking.unbake(baking.bake(SVG, json.dumps(assertion), version=BakedVersion.OB_2_0))
    assert unbaked.verify == "https://example.org/1"
    assert json.loads(unbaked.payload) == assertion


def test_the_rest_of_the_image_stays() -> None:
    baked = baking.bake(SVG, JWS)
    before, after = etree.fromstring(SVG), etree.fromstring(baked)
    after.remove(after[0])
    assert etree.tostring(after, method="c14n2").replace(
        b' xmlns:openbadges="https://purl.imsglobal.org/ob/v3p0"', b""
    ) == etree.tostring(before, method="c14n2")
    assert b"<!-- made by hand -->" in baked


def test_what_stands_around_the_root_keeps_its_order() -> None:
    image = b"<!--1--><?two 2?><!--3-->" + svg() + b"<!--4--><?five 5?>"
    baked = baking.bake(image, JWS)
    places = [
        baked.index(mark) for mark in (b"<!--1-->", b"<?two 2?>", b"<!--3-->", b"<svg", b"<!--4-->", b"<?five 5?>")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("version", VERSIONS)
def test_baking_again_replaces(version: BakedVersion) -> None:
    once = baking.bake(SVG, JSON, version=version)
    twice = baking.bake(once, JWS, version=version)
    assert twice == baking.bake(SVG, JWS, version=version)
    assert baking.bake(twice, JWS, version=version) == twice


def test_every_former_badge_goes_and_the_text_around_it_stays() -> None:
    old = b'<o:credential xmlns:o="https://purl.imsglobal.org/ob/v3p0" verify="old"/>'
    baked = baking.bake(svg(b"<text>1" + old + b"2<g/>3" + old + b"4</text>" + old), JWS)
    assert baked.count(b"credential") == 1
    assert b"<text>12<g/>34</text>" in baked


def test_an_image_can_hold_both_versions_and_each_reader_finds_its_own() -> None:
    both = baking.bake(baking.bake(SVG, "three.three.three"), "two.two.two", version=BakedVersion.OB_2_0)
    for image in (both, baking.bake(both, "three.three.three")):
        assert baking.unbake(image).payload == "three.three.three"
        assert oracle.extract_svg(image, element="openbadges:credential") == "three.three.three"
        assert oracle.extract_svg(image, element="openbadges:assertion") == "two.two.two"


def test_stripping_takes_every_badge_out() -> None:
    both = baking.bake(baking.bake(SVG, JSON), JWS, version=BakedVersion.OB_2_0)
    stripped = baking.strip(both)
    with pytest.raises(NothingBaked):
        baking.unbake(stripped)
    assert b"Caf\xc3\xa9</title>" in stripped


def test_a_body_of_2_0_goes_before_its_attribute_and_that_of_3_0_after_it() -> None:
    for version, payload in ((BakedVersion.OB_2_0, "{}"), (BakedVersion.OB_3_0, JWS)):
        name, namespace = ELEMENTS[version]
        element = f'<{name} xmlns:openbadges="{namespace}" verify="{JWS}"> {{<!-- c -->}} </{name}>'
        assert baking.unbake(svg(element.encode())).payload == payload


@pytest.mark.parametrize(
    "inside",
    [
        b"",
        b'<credential verify="a.b.c"/>',
        b'<b:credential xmlns:b="https://other.example" verify="a.b.c"/>',
        b'<b:credential xmlns:b="https://purl.imsglobal.org/ob/v3p0" verify=" "> </b:credential>',
        b'<b:assertion xmlns:b="http://openbadges.org"/>',
    ],
)
def test_an_image_without_a_badge_says_so(inside: bytes) -> None:
    with pytest.raises(NothingBaked):
        baking.unbake(svg(inside))


DOCTYPE = b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
LAUGHS = b'<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
OUTSIDE = b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("doctype", [DOCTYPE, LAUGHS, OUTSIDE])
@pytest.mark.parametrize(
    "before",
    [b"", b"\n", b"\xef\xbb\xbf", b'<?xml version="1.0"?>', b"<!-- a -->", b"<!-- <svg> --> <?a b?>\n<!----> "],
)
def test_any_doctype_is_refused(before: bytes, doctype: bytes) -> None:
    with pytest.raises(InvalidImage) as caught:
        baking.unbake(svg(before=before + doctype))
    assert "DOCTYPE" in caught.value.detail


def test_a_doctype_in_a_comment_or_in_a_badge_is_none() -> None:
    image = svg(before=b"<!-- <!DOCTYPE svg> -->")
    assert baking.unbake(baking.bake(image, '{"a": "<!DOCTYPE x>"}')).payload == '{"a": "<!DOCTYPE x>"}'


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(svg()[:-1], id="cut off"),
        pytest.param(svg() + svg(), id="two roots"),
        pytest.param(svg(b"&undefined;"), id="undefined entity"),
        pytest.param(svg(b"<a:b/>"), id="undeclared prefix"),
        pytest.param(svg(b"\xff"), id="not UTF-8"),
        pytest.param(svg(b"\x01"), id="control character"),
        pytest.param(svg(b"<g>" * 300 + b"</g>" * 300), id="deep"),
        pytest.param(b"<html/>", id="another root"),
        pytest.param(b'<svg xmlns="https://other.example"/>', id="another namespace"),
        pytest.param(svg().decode().encode("utf-16"), id="UTF-16"),
        pytest.param(b"<" + svg().decode().encode("utf-32-le"), id="UTF-32"),
        pytest.param(svg(before=b'<?xml version="1.0" encoding="UTF-7"?>'), id="declared as UTF-7"),
        pytest.param(svg(before=b"<?xml version='1.0' encoding='EBCDIC-US'?>"), id="declared as EBCDIC"),
        pytest.param(
            svg(before=b'<?xml version="1.0 encoding=\'utf-8\'" encoding="UTF-7"?>'), id="declared in disguise"
        ),
        pytest.param(b"\x1f\x8b" + bytes(20), id="compressed"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"GIF89a", id="another kind of image"),
    ],
)
def test_what_is_not_a_sound_svg_is_refused(image: bytes) -> None:
    for action in (baking.unbake, baking.strip, lambda data: baking.bake(data, JWS)):
        with pytest.raises(InvalidImage):
            action(image)


def test_an_image_in_latin_1_is_read_and_written_in_utf_8() -> None:
    image = svg("<title>Café</title>".encode("latin-1"), before=b'<?xml version="1.0" encoding="ISO-8859-1"?>')
    assert "<title>Café</title>".encode() in baking.bake(image, JWS)


def test_sizes_are_bounded() -> None:
    for image in (svg(b" " * 5_000_000), svg(b"<g/>" * 100_001)):
        with pytest.raises(TooLarge):
            baking.unbake(image)


@pytest.mark.parametrize("payload", ["", "a\0b", "\ud800", "a\x01b", '{"a": "\uffff"}'])
def test_what_xml_cannot_hold_is_not_baked(payload: str) -> None:
    with pytest.raises(InvalidPayload):
        baking.bake(SVG, payload)


def test_version_1_had_no_svg() -> None:
    with pytest.raises(InvalidPayload):
        baking.bake(SVG, "https://example.org", version=BakedVersion.OB_1_0)


def exercise(image: bytes) -> None:
    for action in (baking.unbake, baking.strip, lambda data: baking.bake(data, JSON)):
        with contextlib.suppress(LapelError):
            action(image)


BAKED = baking.bake(baking.bake(SVG, JSON), JSON, version=BakedVersion.OB_2_0)
fragments = st.binary(max_size=4) | st.sampled_from(
    [
        b"<!DOCTYPE svg>",
        b"<![CDATA[",
        b"]]>",
        b"&a;",
        b"<!--",
        b"-->",
        b"<?xml",
        b"?>",
        b"xmlns:openbadges='x'",
        b"encoding='",
    ]
)


@given(st.integers(0, len(BAKED)), fragments, st.integers(0, 6))
def test_a_changed_image_raises_only_our_errors(position: int, noise: bytes, removed: int) -> None:
    exercise(BAKED[:position] + noise + BAKED[position + removed :])


@given(st.lists(fragments | st.just(b"<svg xmlns='http://www.w3.org/2000/svg'>"), max_size=6).map(b"".join))
def test_anything_that_looks_like_xml_raises_only_our_errors(image: bytes) -> None:
    exercise(b"<" + image)
    exercise(image)


@pytest.mark.parametrize("where", ["element", "root", "namespaces", "before", "after"])
def test_what_takes_time_by_its_square_is_limited(where: str) -> None:
    """A hundred thousand attributes, which fit into a megabyte, would keep the interpreter for minutes."""

    def image(count: int) -> bytes:
        attributes = b" ".join(b'a%d=""' % number for number in range(count))
        namespaces = b" ".join(b'xmlns:a%d="urn:a"' % number for number in range(1, count))
        comments = b"<!---->" * count
        return {
            "element": svg(b"<g " + attributes + b"/>"),
            "root": svg(attributes=attributes),
            "namespaces": svg(attributes=namespaces),
            "before": svg(before=comments),
            "after": svg() + comments,
        }[where]

    baking.bake(baking.strip(image(256)), JSON)
    for work in (baking.strip, lambda content: baking.bake(content, JSON)):
        with pytest.raises(TooLarge):
            work(image(257))


def test_many_badges_with_text_between_them_are_removed_in_linear_time() -> None:
    """A megabyte of them, which anybody may upload who may define an achievement, must not take seconds."""
    space = b'xmlns:o="https://purl.imsglobal.org/ob/v3p0"'
    image = svg(b"<o:credential/>text" * 45_000, attributes=space)

    start = time.thread_time()
    stripped = baking.strip(image)

    assert time.thread_time() - start < 2
    assert stripped.count(b"text") == 45_000
    assert b"credential/" not in stripped
