"""What may be handed in, where documents come from, and the limits of a verification."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lapel.credentials.baking import bake
from lapel.credentials.strict_json import MAX_BYTES
from lapel.domain.fetching import Fetched, FetchFailed, FetchNotFound, FetchTimeout
from lapel.errors import InvalidInput, LapelError, TooLarge
from lapel.services.verifying import Outcome
from tests.support.badge_images import SVG, png
from tests.unit.services.verifying.world import ISSUER, LIST, World, failed, outcome, with_outcome

HOME = "https://school.example/v3/credentials/7"


@pytest.mark.parametrize("image", [SVG, png()])
@pytest.mark.parametrize("as_token", [True, False])
async def test_a_badge_may_be_baked_into_an_image(world: World, image: bytes, as_token: bool) -> None:
    badge = world.badge()
    baked = bake(image, world.token(badge) if as_token else json.dumps(world.sign(badge)))

    assert (await world.verify(baked)).valid is True


async def test_white_space_around_a_badge_does_not_matter(world: World) -> None:
    assert (await world.verify(f"\n {json.dumps(world.sign(world.badge()))} \r\n")).valid is True
    assert (await world.verify(f"{world.token(world.badge())}\n".encode())).valid is True


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Hello",
        b"\x00\xff",
        b"[]",
        b'"eyJ"',
        b"\x89PNG\r\n\x1a\n",
        SVG,
        png(),
        b"\xef\xbb\xbf{}",
        b'{"a": 1, "a": 2}',
        b"http://a b",
    ],
)
async def test_what_is_no_badge_at_all_is_refused(world: World, data: bytes) -> None:
    with pytest.raises(InvalidInput):
        await world.verify(data)


async def test_what_is_called_an_image_must_be_one(world: World) -> None:
    with pytest.raises(InvalidInput, match="image/png"):
        await world.verify(b"{}", media_type="image/png; charset=utf-8")


@pytest.mark.parametrize(
    "data",
    [
        b"{" + b" " * MAX_BYTES + b"}",
        b" " * 17_000_000,
        "ey" + "a" * MAX_BYTES + "..",
    ],
)
async def test_what_is_too_large_is_refused(world: World, data: bytes | str) -> None:
    with pytest.raises(TooLarge):
        await world.verify(data)


async def test_an_object_that_is_no_credential_fails_structure(world: World) -> None:
    report = await world.verify({})

    assert report.valid is False
    assert ("structure", "member_missing") in failed(report)


async def test_a_badge_is_verified_at_its_address(world: World) -> None:
    world.web.publish(HOME, world.sign(world.badge()))

    assert (await world.verifying.verify_url(HOME)).valid is True


async def test_an_address_that_cannot_be_fetched_is_an_error_and_no_verdict(world: World) -> None:
    world.web.fail(HOME, FetchTimeout("It took long."))

    with pytest.raises(FetchFailed):
        await world.verifying.verify_url(HOME)


@pytest.mark.parametrize("url", ["", "{}", "ftp://school.example/", "https://a b/", f"https://{'a' * 3000}"])
async def test_only_an_address_is_one(world: World, url: str) -> None:
    with pytest.raises(InvalidInput):
        await world.verifying.verify_url(url)


async def test_addresses_that_lead_to_addresses_come_to_an_end(world: World) -> None:
    world.web.publish(HOME, HOME.encode(), media_type="text/plain")

    with pytest.raises(InvalidInput):
        await world.verifying.verify_url(HOME)


async def test_an_address_in_much_white_space_waits_for_no_second_turn(world: World) -> None:
    world.web.publish(HOME, json.dumps(world.sign(world.badge())).encode() + b" " * 300_000)
    asked = [world.verify(" " * 300_000 + HOME) for _ in range(4)]  # as many as there are turns

    async with asyncio.timeout(5):
        assert [report.valid for report in await asyncio.gather(*asked)] == [True] * 4


class Own:
    """Everything on the school's host is this server's."""

    def __init__(self, world: World) -> None:
        self._pages = world.web.pages
        world.web.pages = {}

    async def find(self, url: str) -> Fetched | None:
        if not url.startswith("https://school.example/"):
            return None
        page = self._pages.get(url)
        if isinstance(page, Fetched):
            return page
        raise FetchNotFound("There is nothing at this address.", status=404)


async def test_this_servers_own_documents_need_no_network(world: World) -> None:
    world.verifying = world.new_verifying(own=Own(world))

    assert (await world.verify(world.sign(world.badge()))).valid is True
    assert world.web.asked == []


async def test_a_badge_cannot_make_the_server_fetch_without_end(world: World) -> None:
    world.verifying = world.new_verifying(max_fetches=1)

    report = await world.verify(world.sign(world.badge()))

    assert report.valid is None
    assert world.web.asked == [ISSUER]
    assert with_outcome(report, Outcome.UNKNOWN) == [("status", "unreachable")]


async def test_a_verification_that_takes_too_long_says_what_it_found(world: World) -> None:
    class Slow:
        async def fetch(self, url: str, *, accept: str = "", max_bytes: int | None = None) -> Fetched:
            if url == LIST:
                await asyncio.Event().wait()
            return await world.web.fetch(url)

    world.verifying = world.new_verifying(fetcher=Slow(), time_limit=0.2)

    report = await world.verify(world.sign(world.badge()))

    assert report.valid is None
    assert outcome(report, "signature") == ("pass", None)
    assert outcome(report, "time_limit") == ("unknown", "timed_out")


async def test_nothing_of_a_badge_that_is_refused_stays_in_memory(world: World) -> None:
    """Until the garbage collector comes, which may be after many more of them."""
    refused = json.dumps(world.sign(world.badge()) | {"undefined": {"only": ["here"]}})
    gc.collect()
    gc.disable()
    try:
        report = await world.verify(refused)

        assert outcome(report, "json_ld") == ("fail", "json_ld_invalid")
        assert [each for each in gc.get_objects() if type(each) is dict and each.keys() == {"only"}] == []
    finally:
        gc.enable()


async def test_cancelling_is_not_taken_for_a_time_limit(world: World) -> None:
    class Never:
        async def fetch(self, url: str, *, accept: str = "", max_bytes: int | None = None) -> Fetched:
            await asyncio.Event().wait()
            raise AssertionError

    world.verifying = world.new_verifying(fetcher=Never())
    task = asyncio.create_task(world.verify(world.sign(world.badge())))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([ISSUER, LIST, "_:b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "type", "@context", "@id", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    (
        *("@context", "id", "type", "issuer", "credentialSubject", "credentialStatus", "validFrom", "validUntil"),
        *("proof", "credentialSchema", "refreshService", "endorsement", "recipient", "badge", "verification"),
    )
)


PROOF_MEMBERS = st.sampled_from(
    (
        "type",
        "cryptosuite",
        "created",
        "verificationMethod",
        "proofPurpose",
        "proofValue",
        "expires",
        "previousProof",
        "@context",
    )
)


def test_whatever_is_handed_in_only_errors_of_ours_come_out(world: World) -> None:
    signed = world.sign(world.badge())
    with asyncio.Runner() as runner:

        @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(
            changes=st.dictionaries(MEMBERS, JSON, max_size=4), proof=st.dictionaries(PROOF_MEMBERS, JSON, max_size=3)
        )
        def hostile(changes: dict[str, Any], proof: dict[str, Any]) -> None:
            badge = {**signed, "proof": {**signed["proof"], **proof}, **changes}
            try:
                report = runner.run(world.verify(badge, expected_recipient="ada@example.org"))
            except LapelError:
                return
            json.dumps(report.to_json())

        hostile()
