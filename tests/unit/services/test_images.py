"""Images: what is taken in, and what is refused."""

from __future__ import annotations

import base64

import pytest

from lapel.credentials.baking import png as baking
from lapel.domain.access import Role
from lapel.errors import Forbidden, InvalidInput, TooLarge
from lapel.services.images import MAX_IMAGE_BYTES
from lapel.services.svg_safety import UnsafeSvg
from tests.support.badge_images import SVG, chunk, png
from tests.support.work import turns_given
from tests.unit.services.server import BASE, OWNER, Server, principal

NS = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def svg(body: str, attributes: str = "") -> bytes:
    return f"<svg {NS} viewBox='0 0 1 1' {attributes}>{body}</svg>".encode()


def problem(error: pytest.ExceptionInfo[InvalidInput]) -> tuple[str, str]:
    (found,) = error.value.errors
    return found.pointer, found.code


@pytest.mark.parametrize(("content", "media_type"), [(png(), "image/png"), (SVG, "image/svg+xml")])
async def test_an_image_is_kept_by_its_content(server: Server, content: bytes, media_type: str) -> None:
    image = await server.images.upload(OWNER, content)
    assert image.media_type == media_type
    assert await server.images.get(image.id) == image
    assert (await server.images.upload(OWNER, content)).id == image.id


async def test_a_png_keeps_its_bytes(server: Server) -> None:
    assert (await server.images.upload(OWNER, png())).content == png()


async def test_a_credential_in_an_image_is_taken_out(server: Server) -> None:
    baked = baking.bake(png(), '{"somebody": "else"}')
    assert (await server.images.upload(OWNER, baked)).content == png()


@pytest.mark.parametrize(
    "content",
    [b"", b"GIF89a", b"\xff\xd8\xff\xe0", png()[:-20], b"<html></html>", b"<svg", b"\x00" * 100, b"{}"],
)
async def test_what_is_no_sound_png_or_svg_is_refused(server: Server, content: bytes) -> None:
    with pytest.raises(InvalidInput):
        await server.images.upload(OWNER, content)


async def test_a_large_image_is_refused(server: Server) -> None:
    with pytest.raises(TooLarge):
        await server.images.upload(OWNER, png(chunk(b"juNk", bytes(MAX_IMAGE_BYTES))))


@pytest.mark.parametrize(
    "content",
    [
        svg("<script>alert(1)</script>"),
        svg("<g onclick='alert(1)'/>"),
        svg("", "onload='alert(1)'"),
        svg("<foreignObject/>"),
        svg("<image href='https://elsewhere.example/a.png'/>"),
        svg("<image xlink:href='//elsewhere.example/a.png'/>"),
        svg("<use href='data:image/svg+xml;base64,AAAA'/>"),
        svg("<a href='https://elsewhere.example'><text>x</text></a>"),
        svg("<a href='javascript:alert(1)'/>"),
        svg("<a href=' java&#9;script:alert(1)'/>"),
        svg("<style>@import 'https://elsewhere.example/a.css';</style>"),
        svg("<style>rect{fill:url(https://elsewhere.example)}</style>"),
        svg("<style>rect{fill:u\\72l(https://elsewhere.example)}</style>"),
        svg("<style>rect{fill:url(/**/'https://elsewhere.example')}</style>"),
        svg("<rect fill='url( \"https://elsewhere.example\" )'/>"),
        svg("<rect style='background:url(//elsewhere.example)'/>"),
        svg("<a href='#x'><animate attributeName='href' to='javascript:alert(1)'/></a>"),
        svg("<a href='#x'><set attributeName='xlink:href' to='javascript:alert(1)'/></a>"),
        svg("<h:script xmlns:h='http://www.w3.org/1999/xhtml'/>"),
        svg("<a href='#x' ping='https://elsewhere.example'/>"),
        svg("<style>/* a */ rect{fill:url(https://elsewhere.example)} /* b</style>"),
        svg("<g xml:base='https://elsewhere.example/'/>"),
        b"<?xml-stylesheet href='https://elsewhere.example/a.css'?>" + svg(""),
        svg("<?php echo 1 ?>"),
    ],
)
async def test_an_svg_that_runs_or_asks_elsewhere_is_refused(server: Server, content: bytes) -> None:
    with pytest.raises(UnsafeSvg):
        await server.images.upload(OWNER, content)


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE svg [<!ENTITY a "b">]>' + svg("&a;"),
        b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/x.dtd">' + svg(""),
    ],
)
async def test_a_doctype_is_refused(server: Server, content: bytes) -> None:
    with pytest.raises(InvalidInput):
        await server.images.upload(OWNER, content)


@pytest.mark.parametrize(
    "body",
    [
        "<defs><linearGradient id='a'/></defs><rect fill='url(#a)' style='stroke:url(#a)'/>",
        "<style>rect { fill: red; transform: rotate(3deg) } /* url(https://x) */</style>",
        "<use href='#a'/><g id='a'><title>on and on</title></g>",
        "<image href='data:image/png;base64,iVBORw0KGgo='/>",
        "<rect><animate attributeName='x' values='0;1'/></rect>",
        "<metadata><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/></metadata>",
        "<!-- <script/> -->",
    ],
)
async def test_a_harmless_svg_is_kept(server: Server, body: str) -> None:
    assert (await server.images.upload(OWNER, svg(body))).media_type == "image/svg+xml"


async def test_a_style_of_unended_comments_takes_no_time(server: Server) -> None:
    assert await server.images.upload(OWNER, svg(f"<style>{'/*' * 400_000}</style>"))


async def test_an_image_may_come_in_a_data_url(server: Server) -> None:
    data = base64.b64encode(png()).decode()
    image = await server.images.import_image(OWNER, f"data:image/png;base64,{data}")
    assert image.content == png()
    plain = await server.images.import_image(OWNER, "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E")
    assert plain.media_type == "image/svg+xml"


async def test_others_get_their_turn_while_a_data_url_is_read(server: Server) -> None:
    async def read() -> None:
        with pytest.raises(InvalidInput):
            await server.images.import_image(OWNER, "data:image/png;base64," + "%23" * 200_000)

    assert await turns_given(read()) > 2


async def test_an_image_given_by_address_is_fetched_once(server: Server) -> None:
    server.web.publish("https://school.example/a.png", png(), "image/png")
    issuer = await server.issuer(image={"type": "Image", "id": "https://school.example/a.png"})
    assert server.web.asked == ["https://school.example/a.png"]
    assert issuer.image_id is not None
    assert (await server.images.get(issuer.image_id)).content == png()
    document = await server.issuers.document(issuer.id)
    assert document["image"] == {"id": f"{BASE}/v3/images/{issuer.image_id}", "type": "Image"}


async def test_an_uploaded_image_is_named_by_its_id_or_address(server: Server) -> None:
    image = await server.images.upload(OWNER, png())
    for named in (str(image.id), f"urn:uuid:{image.id}", f"{BASE}/v3/images/{image.id}"):
        assert (await server.images.import_image(OWNER, named)).id == image.id
    assert server.web.asked == []


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("https://school.example/gone.png", "fetch_not_found"),
        ("data:image/png;base64,####", "invalid_image"),
        ("data:image/png", "invalid_image"),
        ("data:image/png;base64,R0lGODlh", "invalid_image"),
        ("school.png", "bad_image"),
        ("018f0000-0000-7000-8000-000000000001", "not_found"),
        ("data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "unsafe_svg"),
    ],
)
async def test_an_image_that_cannot_be_used_is_a_problem_of_the_request(server: Server, source: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await server.issuer(image=source)
    assert problem(caught) == ("/image", code)


async def test_nothing_is_fetched_for_a_request_with_other_problems(server: Server) -> None:
    with pytest.raises(InvalidInput):
        await server.issuer(name="", image="https://school.example/a.png")
    assert server.web.asked == []


async def test_another_organisations_image_is_not_taken(server: Server) -> None:
    image = await server.images.upload(OWNER, png())
    with pytest.raises(InvalidInput):
        await server.images.import_image(await server.stranger(), str(image.id))


async def test_a_viewer_uploads_nothing(server: Server) -> None:
    with pytest.raises(Forbidden):
        await server.images.upload(principal(Role.VIEWER), png())


async def test_an_achievement_without_an_image_has_a_drawing(server: Server) -> None:
    await server.issuer()
    picture = await server.images.image_of(await server.achievement())
    assert (picture.media_type, picture.image_id) == ("image/svg+xml", None)
    assert b"Knots" in picture.content
