"""What others say in favour of a badge is verified like a badge: a forgery fails, what has lapsed is a warning."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from lapel.credentials import bitstring_status_list, keys
from lapel.credentials.date_time import parse_timestamp
from lapel.domain.fetching import Fetched, FetchNotFound, FetchTimeout, FetchWrongType
from lapel.domain.status_list import StatusPurpose
from lapel.services.verifying import Kind, Outcome, Report
from tests.unit.services.verifying.badges_2 import jws
from tests.unit.services.verifying.world import ISSUER, LIST, NOW, OB, VC, World, failed, outcome, with_outcome

ENDORSER = "https://guild.example/issuers/9"


def endorsement(world: World, **changes: Any) -> dict[str, Any]:
    """An endorsement of the school, by a guild; a change to None removes a member."""
    document = {
        "@context": [VC, OB],
        "id": "https://guild.example/endorsements/1",
        "type": ["VerifiableCredential", "EndorsementCredential"],
        "name": "A good school",
        "issuer": {"id": ENDORSER, "type": ["Profile"], "name": "The Guild"},
        "validFrom": "2026-05-01T00:00:00Z",
        "credentialSubject": {"id": ISSUER, "type": ["EndorsementSubject"], "endorsementComment": "They teach well."},
    } | changes
    return {name: value for name, value in document.items() if value is not None}


class Guild:
    """The endorser: its key, published at its address."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.signer = world.new_signer()
        self.multikey = keys.multikey(self.signer.public_key)
        self.method_id = f"{ENDORSER}#{self.multikey}"
        method = {
            "id": self.method_id,
            "type": "Multikey",
            "controller": ENDORSER,
            "publicKeyMultibase": self.multikey,
        }
        self.method = method
        self.publish()

    def publish(self, **changes: Any) -> None:
        """The guild's profile."""
        document = {"id": ENDORSER, "type": "Profile", "name": "The Guild", "verificationMethod": [self.method]}
        self.world.web.publish(ENDORSER, {**document, "assertionMethod": [self.method_id], **changes})

    def sign(self, **changes: Any) -> dict[str, Any]:
        return self.world.sign(endorsement(self.world, **changes), signer=self.signer, method_id=self.method_id)

    def token(self, **changes: Any) -> str:
        return self.world.token(endorsement(self.world, **changes), kid=self.method_id, signer=self.signer)


@pytest.fixture
def guild(world: World) -> Guild:
    return Guild(world)


async def test_a_badge_may_carry_endorsements_of_itself_its_issuer_and_its_achievement(guild: Guild) -> None:
    world = guild.world
    badge = world.badge()
    achievement = badge["credentialSubject"]["achievement"]
    of_badge = guild.sign(credentialSubject={"id": badge["id"], "type": ["EndorsementSubject"]})
    of_achievement = guild.sign(credentialSubject={"id": achievement["id"], "type": ["EndorsementSubject"]})
    badge["endorsement"] = [of_badge]
    badge["issuer"]["endorsementJwt"] = [guild.token()]
    achievement["endorsement"] = [of_achievement]

    report = await world.verify(world.sign(badge))

    assert report.valid is True, report
    assert [(check.outcome, check.sentence) for check in report.checks if check.code == "endorsements"] == [
        (Outcome.PASS, "The endorsement by The Guild is genuine.")
    ] * 3


async def test_an_endorsement_can_be_verified_by_itself(guild: Guild) -> None:
    report = await guild.world.verify(guild.sign())

    assert report.valid is True
    assert report.shown.kind is Kind.ENDORSEMENT
    assert outcome(report, "structure") == ("pass", None)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": None}, "member_missing"),
        ({"validFrom": None}, "member_missing"),
        ({"credentialSubject": {"id": ISSUER, "type": ["Profile"]}}, "member_missing"),
        ({"credentialSubject": {"type": ["EndorsementSubject"]}}, "member_invalid"),
        ({"credentialSubject": [{"id": ISSUER, "type": ["EndorsementSubject"]}]}, "member_invalid"),
    ],
)
async def test_an_endorsement_that_lacks_a_member_fails_structure(
    guild: Guild, changes: dict[str, Any], problem: str
) -> None:
    assert failed(await guild.world.verify(guild.sign(**changes))) == [("structure", problem)]


async def verify_with(guild: Guild, *endorsements: dict[str, Any] | str) -> Report:
    """The report about a token with these endorsements in it, whose own proof is good whatever they say."""
    world = guild.world
    badge = world.badge(
        credentialStatus=None,
        endorsement=[each for each in endorsements if isinstance(each, dict)],
        endorsementJwt=[each for each in endorsements if isinstance(each, str)],
    )
    badge["credentialSubject"]["id"] = "did:example:ada"
    return await world.verify(world.token(badge))


async def test_a_changed_endorsement_fails(guild: Guild) -> None:
    forged = {**guild.sign(), "name": "The best school"}

    assert failed(await verify_with(guild, forged)) == [("endorsements", "endorsement_invalid")]


async def test_an_endorsement_that_somebody_else_signed_fails(guild: Guild) -> None:
    forged = guild.world.sign(endorsement(guild.world))

    report = await verify_with(guild, forged)

    assert failed(report) == [("endorsements", "endorsement_invalid")]


async def test_an_endorsement_without_a_proof_fails(guild: Guild) -> None:
    report = await verify_with(guild, endorsement(guild.world))

    assert failed(report) == [("endorsements", "endorsement_invalid")]


@pytest.mark.parametrize("token", ["eyJ.eyJ.x", "nonsense", ""])
async def test_a_token_that_is_none_fails(guild: Guild, token: str) -> None:
    assert failed(await verify_with(guild, token)) == [("endorsements", "endorsement_invalid")]


async def test_another_credential_in_place_of_an_endorsement_fails(guild: Guild) -> None:
    report = await verify_with(guild, guild.world.sign(guild.world.badge()))

    assert failed(report) == [("endorsements", "endorsement_invalid")]


async def test_an_endorsement_of_something_else_is_worth_a_warning(guild: Guild) -> None:
    of_another = guild.sign(credentialSubject={"id": "https://other.example/", "type": ["EndorsementSubject"]})

    report = await verify_with(guild, of_another)

    assert report.valid is True
    assert with_outcome(report, Outcome.WARN) == [("endorsements", "endorsement_elsewhere")]


@pytest.mark.parametrize("dates", [{"validUntil": "2026-05-31T00:00:00Z"}, {"validFrom": "2026-06-02T00:00:00Z"}])
async def test_an_endorsement_that_does_not_count_now_is_worth_a_warning(guild: Guild, dates: dict[str, str]) -> None:
    """Its author is a third party: nobody but the issuer can take a badge away."""
    report = await verify_with(guild, guild.sign(**dates), guild.token(**dates))

    assert report.valid is True
    assert with_outcome(report, Outcome.WARN) == [("endorsements", "endorsement_lapsed")] * 2


async def test_a_revoked_endorsement_is_worth_a_warning(guild: Guild) -> None:
    status_list = bitstring_status_list.list_credential(
        list_url=LIST,
        issuer=ENDORSER,
        purpose=StatusPurpose.REVOCATION,
        encoded_list=bitstring_status_list.encode(bitstring_status_list.from_indices([5])),
        valid_from=NOW,
    )
    signed = guild.world.sign(status_list, signer=guild.signer, method_id=guild.method_id)
    guild.world.web.publish(LIST, signed)

    report = await verify_with(guild, guild.sign(credentialStatus=guild.world.badge()["credentialStatus"]))

    assert report.valid is True
    assert with_outcome(report, Outcome.WARN) == [("endorsements", "endorsement_lapsed")]


async def test_an_endorser_who_is_away_does_not_touch_the_badge(guild: Guild) -> None:
    guild.world.web.fail(ENDORSER, FetchTimeout("Long."))

    report = await verify_with(guild, guild.sign())

    assert report.valid is True
    assert with_outcome(report, Outcome.WARN) == [("endorsements", "not_checked")]


@pytest.mark.parametrize("status", [404, 410])
async def test_an_endorser_who_is_gone_does_not_take_the_badge_along(guild: Guild, status: int) -> None:
    guild.world.web.fail(ENDORSER, FetchNotFound("Gone.", status=status))

    await expect_warnings(guild, "not_checked", guild.sign(), guild.token())


async def test_an_endorser_whose_address_somebody_parks_does_not_touch_the_badge(guild: Guild) -> None:
    given = guild.sign(), guild.token()
    guild.world.web.fail(ENDORSER, FetchWrongType("The server answered with text/html."))
    await expect_warnings(guild, "not_checked", *given)
    guild.world.web.publish(ENDORSER, b"<!doctype html>")
    await expect_warnings(guild, "not_checked", *given)


@pytest.mark.parametrize(
    "changes",
    [
        {"verificationMethod": [], "assertionMethod": []},
        {"assertionMethod": []},
        {"id": "https://guild.example/issuers/10"},
        {"verificationMethod": None},
    ],
)
async def test_an_endorser_who_takes_its_key_away_does_not_take_the_badge_away(
    guild: Guild, changes: dict[str, Any]
) -> None:
    guild.publish(**changes)

    await expect_warnings(guild, "not_checked", guild.sign(), guild.token())


@pytest.mark.parametrize("name", ["revoked", "expires"])
async def test_an_endorsement_by_a_key_that_has_ended_does_not_count(guild: Guild, name: str) -> None:
    ended = {**guild.method, name: "2026-01-01T00:00:00Z"}
    guild.publish(verificationMethod=[ended])

    await expect_warnings(guild, "endorsement_lapsed", guild.sign(), guild.token())

    report = await verify_with(guild, {**guild.sign(), "name": "The best school"})
    assert failed(report) == [("endorsements", "endorsement_invalid")], "a forgery stays one"


async def test_an_endorsement_whose_proof_has_expired_does_not_count(guild: Guild) -> None:
    world, unsigned = guild.world, endorsement(guild.world)
    ended = "2026-05-31T12:00:00Z"
    document = world.sign(unsigned, signer=guild.signer, method_id=guild.method_id, expires=ended)
    claims = {**unsigned, "exp": int(parse_timestamp(ended).timestamp())}  # type: ignore[union-attr]  # it is a date
    token = jws(world, claims, signer=guild.signer, kid=guild.method_id, typ="vc+jwt")

    await expect_warnings(guild, "endorsement_lapsed", document, token)


async def test_a_slow_endorser_costs_the_badge_nothing_but_a_warning(guild: Guild) -> None:
    world, given = guild.world, guild.sign()

    class SlowGuild:
        async def fetch(self, url: str, **options: Any) -> Fetched:
            if url == ENDORSER:
                await asyncio.get_running_loop().create_future()
            return await world.web.fetch(url, **options)

    world.verifying = world.new_verifying(fetcher=SlowGuild(), endorsements_time=0.1, time_limit=60)

    await expect_warnings(guild, "timed_out", given, given)


async def test_of_an_endorsement_that_is_not_proven_no_status_is_asked_for(guild: Guild) -> None:
    guild.world.web.fail(ENDORSER, FetchTimeout("Long."))
    given = guild.sign(credentialStatus=guild.world.badge()["credentialStatus"])

    await expect_warnings(guild, "not_checked", given)

    assert LIST not in guild.world.web.asked


async def test_several_share_their_fetches_and_nothing_in_them_is_followed(guild: Guild) -> None:
    world = guild.world
    nested = guild.sign(id="https://guild.example/nested", issuer={"id": "https://other.example/", "type": "Profile"})
    of_many = [
        guild.sign(id=f"https://guild.example/endorsements/{number}", endorsement=[nested]) for number in range(9)
    ]
    strangers = []
    for name in "abcdefgh":
        issuer = f"https://{name}.example/"
        unsigned = endorsement(world, issuer={"id": issuer, "type": "Profile"})
        strangers.append(json.dumps(world.sign(unsigned, method_id=f"{issuer}#1")))
    verify = world.verifying.several(max_fetches=3)

    known = await asyncio.gather(*(verify(json.dumps(each)) for each in of_many))
    unknown = await asyncio.gather(*map(verify, strangers))

    assert [report.valid for report in known] == [True] * 9
    assert {outcome(report, "endorsements") for report in known} == {("skip", "not_checked")}
    assert world.web.asked[0] == ENDORSER, "once for all"
    assert len(world.web.asked) == 3
    assert [report.valid for report in unknown].count(None) == 6, "these were not asked"


async def expect_warnings(guild: Guild, problem: str, *endorsements: dict[str, Any] | str) -> None:
    """Each of the endorsements is a warning with this problem, and the badge is valid."""
    report = await verify_with(guild, *endorsements)

    assert report.valid is True, report
    assert with_outcome(report, Outcome.WARN) == [("endorsements", problem)] * len(endorsements)


async def test_for_a_badge_that_does_not_hold_no_endorser_is_asked(guild: Guild) -> None:
    badge = guild.world.badge(endorsement=[guild.sign()])

    report = await guild.world.verify(badge)

    assert failed(report) == [("proof", "proof_missing")]
    assert outcome(report, "endorsements") == ("skip", "not_checked")
    assert ENDORSER not in guild.world.web.asked


async def test_only_the_first_ones_are_looked_at(guild: Guild) -> None:
    report = await verify_with(guild, *[guild.token()] * 100)

    checks = [(check.outcome, check.sentence) for check in report.checks if check.code == "endorsements"]
    assert [found for found, _ in checks] == [Outcome.PASS] * 4 + [Outcome.SKIP]
    assert "96 further endorsements" in checks[-1][1]


async def test_an_endorsement_is_refreshed_too(guild: Guild) -> None:
    address = "https://guild.example/refresh/1"
    service = {"id": address, "type": "1EdTechCredentialRefresh"}
    extensions = [VC, OB, "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json"]
    changes: dict[str, Any] = {"@context": extensions, "refreshService": service}
    ended = (NOW - timedelta(days=1)).isoformat().replace("+00:00", "Z")
    guild.world.web.publish(address, guild.sign(**changes))

    report = await verify_with(guild, guild.sign(**changes, validUntil=ended))

    assert outcome(report, "endorsements") == ("pass", None)
