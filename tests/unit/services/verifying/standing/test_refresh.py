"""A badge may offer a newer version of itself: asked for once, after the proof has held, and believed if it is one."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from lapel.domain.fetching import FetchTimeout
from lapel.services.verifying import Outcome
from tests.unit.services.verifying.test_envelopes import envelope
from tests.unit.services.verifying.world import World, failed, outcome, with_outcome

REFRESH = "https://school.example/refresh/7"
EXTENSIONS = "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json"


def refreshable(world: World, *, kind: str = "1EdTechCredentialRefresh", **changes: Any) -> dict[str, Any]:
    badge = world.badge(refreshService={"id": REFRESH, "type": kind}, **changes)
    badge["@context"].append(EXTENSIONS)
    return badge


async def test_the_newer_version_is_what_counts(world: World) -> None:
    """The badge at hand has expired; its issuer has prolonged it."""
    world.web.publish(REFRESH, world.sign(refreshable(world)))

    report = await world.verify(world.sign(refreshable(world, validUntil="2026-05-31T00:00:00Z")))

    assert report.valid is True
    assert outcome(report, "refresh") == ("pass", None)
    assert report.shown.valid_until == "2027-05-01T00:00:00Z"
    assert [check.code.value for check in report.checks[-5:]] == [
        "signature",
        "refresh",
        "status",
        "validity",
        "recipient",
    ]


async def test_a_newer_version_that_has_ended_ends_the_badge(world: World) -> None:
    world.web.publish(REFRESH, world.sign(refreshable(world, validUntil="2026-05-31T00:00:00Z")))

    assert failed(await world.verify(world.sign(refreshable(world)))) == [("validity", "expired")]


async def test_a_token_is_refreshed_with_a_token(world: World) -> None:
    subject = {**world.badge()["credentialSubject"], "id": "did:example:ada"}
    newer = world.token(refreshable(world, credentialSubject=subject))
    world.web.publish(REFRESH, newer.encode(), media_type="text/plain")

    report = await world.verify(world.token(refreshable(world, credentialSubject=subject)))

    assert report.valid is True
    assert outcome(report, "refresh") == ("pass", None)


async def test_a_newer_version_may_come_in_an_envelope(world: World) -> None:
    """As the token that secures it may everywhere else (VC 2.0, 4.13)."""
    world.web.publish(REFRESH, envelope(world.token(refreshable(world))), media_type="application/vc")

    report = await world.verify(world.sign(refreshable(world, validUntil="2026-05-31T00:00:00Z")))

    assert report.valid is True
    assert outcome(report, "refresh") == ("pass", None)
    assert report.shown.valid_until == "2027-05-01T00:00:00Z"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("data:application/vc+sd-jwt,x", "What is in the envelope is secured in a way that is not understood here."),
        ("data:application/vc+jwt;base64,!", "The envelope of the credential cannot be opened."),
        ("data:application/vc+jwt,e30.e30.e30", "This token is signed with an algorithm that is not accepted here."),
    ],
)
async def test_an_envelope_that_cannot_be_opened_holds_no_newer_version(
    world: World, address: str, reason: str
) -> None:
    world.web.publish(REFRESH, envelope("", id=address))

    report = await world.verify(world.sign(refreshable(world)))

    assert report.valid is True, "the badge at hand counts"
    [check] = [check for check in report.checks if check.code == "refresh"]
    assert (check.outcome, check.problem, check.detail) == ("warn", "refresh_refused", reason)


async def test_it_is_asked_for_once(world: World) -> None:
    again = {"id": f"{REFRESH}/again", "type": "1EdTechCredentialRefresh"}
    world.web.publish(REFRESH, world.sign({**refreshable(world), "refreshService": again}))

    await world.verify(world.sign(refreshable(world)))

    assert [url for url in world.web.asked if url.startswith(REFRESH)] == [REFRESH]


async def test_a_forger_is_not_asked(world: World) -> None:
    report = await world.verify({**world.sign(refreshable(world)), "name": "Go"})

    assert outcome(report, "refresh") == ("skip", "not_checked")
    assert REFRESH not in world.web.asked


async def test_where_it_cannot_be_fetched_the_badge_at_hand_counts(world: World) -> None:
    world.web.fail(REFRESH, FetchTimeout("Long."))

    report = await world.verify(world.sign(refreshable(world)))

    assert report.valid is True
    assert with_outcome(report, Outcome.WARN) == [("refresh", "unreachable")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": "https://school.example/v3/credentials/8"}, "another credential"),
        ({"validFrom": "2026-04-30T00:00:00Z"}, "older"),
        ({"type": ["VerifiableCredential", "AchievementCredential"]}, "another type"),
        ({"issuer": {"id": "https://mallory.example/", "type": ["Profile"]}}, "does not belong"),
        ({"validFrom": "some day"}, "validFrom"),
    ],
)
async def test_what_is_not_the_same_badge_does_not_take_its_place(
    world: World, changes: dict[str, Any], said: str
) -> None:
    world.web.publish(REFRESH, world.sign({**refreshable(world), **changes}))

    report = await world.verify(world.sign(refreshable(world)))

    assert report.valid is True
    [check] = [check for check in report.checks if check.code == "refresh"]
    assert (check.outcome, check.problem) == (Outcome.WARN, "refresh_refused")
    assert said in (check.detail or "")


async def test_a_version_about_somebody_else_does_not_take_its_place(world: World) -> None:
    newer = refreshable(world)
    newer["credentialSubject"]["identifier"][0]["identityHash"] = "eve@example.org"
    world.web.publish(REFRESH, world.sign(newer))

    report = await world.verify(world.sign(refreshable(world)), expected_recipient="ada@example.org")

    assert report.valid is True
    assert outcome(report, "refresh") == ("warn", "refresh_refused")


def hashed(world: World, identity: str, salt: str | None) -> dict[str, Any]:
    """A badge that can be refreshed, for a hashed identity."""
    badge = refreshable(world)
    digest = hashlib.sha256((identity + (salt or "")).encode()).hexdigest()
    members = {"hashed": True, "identityHash": f"sha256${digest}"} | ({} if salt is None else {"salt": salt})
    badge["credentialSubject"]["identifier"][0] |= members
    return badge


@pytest.mark.parametrize("salt", ["salt", None])
async def test_a_version_for_another_hash_does_not_take_its_place(world: World, salt: str | None) -> None:
    world.web.publish(REFRESH, world.sign(hashed(world, "eve@example.org", salt)))

    given = world.sign(hashed(world, "ada@example.org", salt))
    report = await world.verify(given, expected_recipient="ada@example.org")

    assert report.valid is True
    assert outcome(report, "refresh") == ("warn", "refresh_refused")


@pytest.mark.parametrize("salt", ["salt", "pepper"])
async def test_a_version_whose_identity_is_hashed_anew_takes_its_place(world: World, salt: str) -> None:
    world.web.publish(REFRESH, world.sign(hashed(world, "ada@example.org", salt)))

    given = world.sign(hashed(world, "ada@example.org", "salt"))
    report = await world.verify(given, expected_recipient="ada@example.org")

    assert report.valid is True
    assert outcome(report, "refresh") == ("pass", None)


@pytest.mark.parametrize("body", [b"Hello", b"{}", b"[]", b"eyJhbGciOiJub25lIn0.e30.", REFRESH.encode()])
async def test_what_is_no_credential_does_not_take_its_place(world: World, body: bytes) -> None:
    world.web.publish(REFRESH, body)

    report = await world.verify(world.sign(refreshable(world)))

    assert report.valid is True
    assert outcome(report, "refresh") == ("warn", "refresh_refused")


async def test_another_kind_of_service_is_not_asked(world: World) -> None:
    report = await world.verify(world.token(refreshable(world, kind="ManualRefreshService2018")))

    assert outcome(report, "refresh") == ("skip", "not_checked")
    assert REFRESH not in world.web.asked
