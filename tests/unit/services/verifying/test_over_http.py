"""Badges on a real web server on this machine, fetched as a stranger's are."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lapel.credentials.baking import BakedVersion, bake
from lapel.domain.fetching import Fetched
from lapel.fetching.client import GuardedFetcher
from lapel.services.verifying import Report
from tests.support.badge_images import SVG, png
from tests.unit.fetching.local_server import LocalServer, answer, serve
from tests.unit.services.verifying import badges_2
from tests.unit.services.verifying.world import World, failed, outcome

SCHOOL = "https://school.example"


class Site:
    """The school's web site, on a real server under an address of this machine."""

    def __init__(self, world: World, server: LocalServer, fetcher: GuardedFetcher) -> None:
        self.world = world
        self.server = server
        self.verifying = world.new_verifying(fetcher=fetcher)
        for publish in (badges_2.publish_hosted, badges_2.publish_signer):
            publish(world)
        for url, page in world.web.pages.items():
            assert isinstance(page, Fetched)
            self.publish(url.removeprefix(SCHOOL), json.loads(page.body))

    def here(self, document: Any) -> Any:
        """The document with the school's addresses on this machine."""
        return json.loads(json.dumps(document).replace(SCHOOL, self.server.url("")))

    def publish(self, path: str, document: Any, *, status: str = "200 OK") -> None:
        self.server.answers[path] = answer(json.dumps(self.here(document)).encode(), status=status)

    async def verify(self, data: bytes | str) -> Report:
        return await self.verifying.verify(data)


@pytest.fixture
async def site(world: World) -> AsyncIterator[Site]:
    patient = GuardedFetcher(allow_loopback_http=True, timeout=60, connect_timeout=30)
    async with serve() as server, patient as fetcher:
        yield Site(world, server, fetcher)


@pytest.mark.parametrize("media_type", ["application/cid", "application/did", "application/did+json"])
async def test_an_issuers_document_may_have_each_media_type_of_one(site: Site, media_type: str) -> None:
    """Controlled Identifiers 1.0, appendix A; DID 1.1, 6; DID 1.0, 6."""
    world = site.world
    document = site.here(world.issuer_document())
    site.server.answers["/v3/issuers/1"] = answer(json.dumps(document).encode(), media_type=media_type)
    badge = site.here(world.badge(credentialStatus=None))

    report = await site.verify(json.dumps(world.sign(badge, method_id=site.here(world.method_id))))

    assert (report.valid, failed(report)) == (True, [])


async def test_a_hosted_badge_is_verified_from_json_url_png_and_svg(site: Site) -> None:
    site.publish("/v2/issuers/1", badges_2.profile())
    address = site.here(badges_2.ASSERTION)
    text = json.dumps(site.here(badges_2.assertion()))

    assert (await site.verify(text)).valid is True
    assert (await site.verifying.verify_url(address)).valid is True
    assert (await site.verify(bake(png(), text, version=BakedVersion.OB_2_0))).valid is True
    assert (await site.verify(bake(SVG, address, version=BakedVersion.OB_2_0))).valid is True


async def test_a_baked_image_is_verified_at_its_address(site: Site) -> None:
    text = json.dumps(site.here(badges_2.assertion()))
    site.server.answers["/badge.png"] = answer(bake(png(), text, version=BakedVersion.OB_2_0), media_type="image/png")

    assert (await site.verifying.verify_url(site.server.url("/badge.png"))).valid is True


async def test_a_signed_badge_is_verified_with_the_key_and_the_list_at_their_addresses(site: Site) -> None:
    assertion = site.here(badges_2.signed_assertion())

    report = await site.verify(badges_2.jws(site.world, assertion))

    assert report.valid is True
    paths = [request.split(" ")[1] for request in site.server.requests]
    assert paths == ["/v2/badge-classes/3", "/v2/issuers/1", "/v2/keys/1", "/v2/issuers/1/revocations"]


async def test_a_revoked_badge_is_gone(site: Site) -> None:
    gone = {"id": badges_2.ASSERTION, "revoked": True, "revocationReason": "By mistake."}
    site.publish("/v2/assertions/7", gone, status="410 Gone")

    report = await site.verify(json.dumps(site.here(badges_2.assertion())))

    assert failed(report) == [("status", "revoked")]


async def test_a_redirect_on_the_same_host_is_followed_and_one_to_another_is_not_believed(site: Site) -> None:
    document = json.dumps(site.here(badges_2.assertion()))
    moved = answer(b"", status="302 Found", more=["Location: /elsewhere"])
    site.server.answers |= {"/v2/assertions/7": moved, "/elsewhere": answer(document.encode())}
    assert (await site.verify(document)).valid is True

    away = site.server.url("/elsewhere", host="localhost")
    site.server.answers["/v2/assertions/7"] = answer(b"", status="302 Found", more=[f"Location: {away}"])
    assert failed(await site.verify(document)) == [("issuer", "hosted_elsewhere")]


async def test_a_host_that_speaks_no_sense_is_no_bad_signature(site: Site) -> None:
    for path in list(site.server.answers):
        site.server.answers[path] = b"SSH-2.0-OpenSSH_9.9\r\n"

    report = await site.verify(badges_2.jws(site.world, site.here(badges_2.signed_assertion())))

    assert report.valid is None
    assert outcome(report, "signature") == ("unknown", "not_checked")
