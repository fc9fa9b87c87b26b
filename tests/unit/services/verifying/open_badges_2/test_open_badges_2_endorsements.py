"""What others say in favour of an Open Badge 2.0 is verified like it, and never takes the badge away."""

from __future__ import annotations

from typing import Any

import pytest

from lapel.credentials import keys
from lapel.domain.fetching import Fetched, FetchNotFound, FetchTimeout
from lapel.services.verifying import Kind, Report
from tests.unit.services.verifying.badges_2 import (
    ASSERTION,
    BADGE_CLASS,
    ISSUER,
    assertion,
    badge_class,
    cryptographic_key,
    jws,
    pem,
    profile,
    publish_hosted,
    publish_signer,
    signed_assertion,
)
from tests.unit.services.verifying.world import World, failed

GUILD = "https://guild.example"
ENDORSER, ADDRESS = f"{GUILD}/issuers/9", f"{GUILD}/endorsements/1"
KEY, REVOCATIONS = f"{GUILD}/keys/9", f"{GUILD}/revocations"


def endorsement(**changes: Any) -> dict[str, Any]:
    """An endorsement of the badge class, by a guild; a change to None removes a member."""
    document = {
        "@context": "https://w3id.org/openbadges/v2",
        "id": ADDRESS,
        "type": "Endorsement",
        "issuer": ENDORSER,
        "claim": {"id": BADGE_CLASS, "endorsementComment": "A good one."},
        "issuedOn": "2026-05-01T00:00:00Z",
        "verification": {"type": "HostedBadge"},
    } | changes
    return {name: value for name, value in document.items() if value is not None}


def signed(world: World, *, signer: keys.LocalSigner | None = None, **changes: Any) -> str:
    named = {"id": "urn:uuid:5f3c1e9e-0000-4000-8000-000000000009", "verification": {"type": "SignedBadge"}}
    return jws(world, endorsement(**(named | changes)), signer=signer)


@pytest.fixture
def guild(world: World) -> World:
    """A hosted badge whose class is endorsed by a guild, which has a key, too: the world's."""
    publish_hosted(world)
    world.web.publish(BADGE_CLASS, badge_class(endorsement=ADDRESS))
    world.web.publish(ENDORSER, profile(id=ENDORSER, name="The Guild", publicKey=KEY, revocationList=REVOCATIONS))
    world.web.publish(KEY, cryptographic_key(world, id=KEY, owner=ENDORSER, publicKeyPem=pem(world.signer)))
    revoke(world)
    world.web.publish(ADDRESS, endorsement())
    return world


def revoke(world: World, *revoked: str) -> None:
    members = {"id": REVOCATIONS, "type": "RevocationList", "issuer": ENDORSER, "revokedAssertions": list(revoked)}
    world.web.publish(REVOCATIONS, members)


def endorsements(report: Report) -> list[tuple[str, str | None]]:
    return [(c.outcome.value, c.problem and c.problem.value) for c in report.checks if c.code == "endorsements"]


async def of_class(world: World, given: object) -> list[tuple[str, str | None]]:
    """What is found of endorsements that the badge class has, while the badge stays valid."""
    world.web.publish(BADGE_CLASS, badge_class(endorsement=given))
    report = await world.verify(assertion())
    assert report.valid is True
    return endorsements(report)


async def test_a_hosted_endorsement_is_asked_for_at_its_own_address(guild: World) -> None:
    report = await guild.verify(assertion())

    assert report.valid is True
    assert endorsements(report) == [("pass", None)]
    assert report.checks[-1].sentence == "The endorsement by The Guild is genuine."
    assert {ADDRESS, ENDORSER} <= set(guild.web.asked)


async def test_badge_class_issuer_and_assertion_may_be_endorsed(guild: World) -> None:
    addresses = {holder: f"{GUILD}/endorsements/{number}" for number, holder in enumerate((ASSERTION, ISSUER), 2)}
    for holder, address in addresses.items():
        guild.web.publish(address, endorsement(id=address, claim={"id": holder}, issuedOn=None, verification=None))
    given = assertion(endorsement=[addresses[ASSERTION]])
    guild.web.publish(ASSERTION, given)
    guild.web.publish(ISSUER, profile(endorsement={"id": addresses[ISSUER], "type": "Endorsement"}))

    assert endorsements(await guild.verify(given)) == [("pass", None)] * 3


async def test_an_endorsement_may_be_signed(guild: World) -> None:
    guild.web.publish(f"{GUILD}/signed", signed(guild).encode(), media_type="text/plain")

    assert await of_class(guild, [signed(guild), f"{GUILD}/signed"]) == [("pass", None)] * 2


async def test_a_signed_badge_may_be_endorsed(world: World) -> None:
    publish_signer(world)
    world.web.publish(BADGE_CLASS, badge_class(endorsement=ADDRESS))
    world.web.publish(ENDORSER, profile(id=ENDORSER))
    world.web.publish(ADDRESS, endorsement())

    report = await world.verify(jws(world, signed_assertion()))

    assert report.valid is True
    assert endorsements(report) == [("pass", None)]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": f"{GUILD}/endorsements/2"}, "endorsement_invalid"),
        ({"type": "Assertion"}, "endorsement_invalid"),
        ({"claim": None}, "endorsement_invalid"),
        ({"claim": "very good"}, "endorsement_invalid"),
        ({"issuer": 7}, "endorsement_invalid"),
        ({"issuedOn": "yesterday"}, "endorsement_invalid"),
        ({"claim": {"id": f"{BADGE_CLASS}0"}}, "endorsement_elsewhere"),
        ({"issuedOn": "2027-05-01T00:00:00Z"}, "endorsement_lapsed"),
        ({"expires": "2026-05-31T00:00:00Z"}, "endorsement_lapsed"),
        ({"expires": "some day"}, "not_checked"),
        ({"revoked": True}, "endorsement_lapsed"),
        ({"verification": {"type": "SignedBadge"}}, "not_checked"),
        ({"issuer": f"{GUILD}/issuers/10"}, "not_checked"),
    ],
)
async def test_what_its_host_has_decides(guild: World, changes: dict[str, Any], problem: str) -> None:
    guild.web.publish(ADDRESS, endorsement(**changes))

    assert await of_class(guild, ADDRESS) == [("warn", problem)]


async def test_one_in_the_name_of_somebody_whose_host_it_is_not_is_not_believed(guild: World) -> None:
    address = "https://evil.example/endorsements/1"
    guild.web.publish(address, endorsement(id=address))

    assert await of_class(guild, address) == [("warn", "endorsement_invalid")]


async def test_a_redirect_away_from_its_issuers_host_is_not_believed(guild: World) -> None:
    page = guild.web.pages[ADDRESS]
    assert isinstance(page, Fetched)
    guild.web.pages[ADDRESS] = Fetched("https://evil.example/1", page.media_type, page.body, 200, None)

    assert await of_class(guild, ADDRESS) == [("warn", "endorsement_invalid")]


async def test_what_a_badge_shows_of_an_endorsement_must_be_what_its_host_has(guild: World) -> None:
    praise = endorsement(claim={"id": BADGE_CLASS, "endorsementComment": "The best of all."})

    assert await of_class(guild, [endorsement(), {"id": ADDRESS, "type": "Endorsement"}, praise]) == [
        ("pass", None),
        ("pass", None),
        ("warn", "endorsement_invalid"),
    ]


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (FetchTimeout("It took more than 10 seconds."), "not_checked"),
        (FetchNotFound("404", status=404), "endorsement_invalid"),
        (FetchNotFound("410", status=410), "endorsement_lapsed"),
    ],
    ids=["away", "missing", "taken back"],
)
async def test_one_that_cannot_be_fetched(guild: World, error: FetchTimeout | FetchNotFound, problem: str) -> None:
    guild.web.fail(ADDRESS, error)

    assert await of_class(guild, ADDRESS) == [("warn", problem)]


@pytest.mark.parametrize("given", [7, {}, "ey.ey.ey", {"claim": {"id": BADGE_CLASS}}], ids=str)
async def test_what_cannot_be_read_is_a_warning(guild: World, given: object) -> None:
    assert await of_class(guild, given) == [("warn", "endorsement_invalid")]


async def test_a_signature_by_another_key_is_not_believed(guild: World) -> None:
    assert await of_class(guild, signed(guild, signer=guild.new_signer())) == [("warn", "endorsement_invalid")]


async def test_a_key_that_its_issuer_does_not_list_tells_nothing(guild: World) -> None:
    named = {"type": "SignedBadge", "creator": f"{GUILD}/keys/10"}

    assert await of_class(guild, signed(guild, verification=named)) == [("warn", "not_checked")]


async def test_a_signed_endorsement_may_be_taken_back(guild: World) -> None:
    revoke(guild, "urn:uuid:5f3c1e9e-0000-4000-8000-000000000009")

    assert await of_class(guild, signed(guild)) == [("warn", "endorsement_lapsed")]


async def test_a_token_whose_host_answers_for_it_needs_no_signature(guild: World) -> None:
    assert await of_class(guild, jws(guild, endorsement(), signer=guild.new_signer())) == [("pass", None)]


async def test_the_first_four_are_looked_at(guild: World) -> None:
    addresses = [f"{GUILD}/endorsements/{number}" for number in range(6)]
    for address in addresses:
        guild.web.publish(address, endorsement(id=address))

    assert await of_class(guild, addresses) == [("pass", None)] * 4 + [("skip", "not_checked")]
    assert addresses[4] not in guild.web.asked


async def test_nobody_is_asked_on_behalf_of_a_badge_that_does_not_hold(guild: World) -> None:
    given = assertion(expires="2026-05-31T00:00:00Z")
    guild.web.publish(ASSERTION, given)

    assert endorsements(await guild.verify(given)) == [("skip", "not_checked")]
    assert ADDRESS not in guild.web.asked


# --- one by itself ---


async def test_a_hosted_endorsement_by_itself_is_verified_like_an_assertion(guild: World) -> None:
    report = await guild.verify(endorsement())

    assert report.valid is True
    assert [check.code.value for check in report.checks] == [
        "structure",
        "hosted",
        "issuer",
        "status",
        "validity",
        "recipient",
    ]
    assert (report.shown.kind, report.shown.issuer_name) == (Kind.ENDORSEMENT_2, "The Guild")


async def test_a_signed_endorsement_by_itself_is_verified_like_an_assertion(guild: World) -> None:
    report = await guild.verify(signed(guild))

    assert report.valid is True
    assert {"proof", "key", "signature", "status"} <= {check.code.value for check in report.checks}
    assert report.shown.kind is Kind.ENDORSEMENT_2


async def test_one_that_does_not_say_how_it_is_verified_is_looked_up(guild: World) -> None:
    guild.web.publish(ADDRESS, endorsement(verification=None, issuedOn=None))

    assert (await guild.verify(endorsement(verification=None, issuedOn=None))).valid is True


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"claim": {"id": ASSERTION, "endorsementComment": "A good one."}}, ("hosted", "hosted_differs")),
        ({"issuer": ISSUER}, ("hosted", "hosted_differs")),
        ({"verification": {"type": "SignedBadge"}}, ("proof", "proof_missing")),
    ],
)
async def test_one_that_says_something_else_than_its_host_fails(
    guild: World, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert failed(await guild.verify(endorsement(**changes))) == [expected]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"claim": None}, ("structure", "member_missing")),
        ({"issuer": ISSUER}, ("issuer", "hosted_elsewhere")),
        ({"expires": "2026-05-31T00:00:00Z"}, ("validity", "expired")),
        ({"revoked": True}, ("status", "revoked")),
    ],
)
async def test_one_by_itself_that_does_not_hold_fails(
    guild: World, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    guild.web.publish(ADDRESS, endorsement(**changes))

    assert failed(await guild.verify(endorsement(**changes))) == [expected]


async def test_one_that_is_signed_falls_with_its_signature_or_by_a_revocation(guild: World) -> None:
    stranger = keys.LocalSigner(keys.generate(guild.signer.algorithm).private_key)
    assert failed(await guild.verify(signed(guild, signer=stranger))) == [("signature", "signature_invalid")]

    revoke(guild, "urn:uuid:5f3c1e9e-0000-4000-8000-000000000009")
    assert failed(await guild.verify(signed(guild))) == [("status", "revoked")]
