"""Hosted Open Badges 2.0: what the issuer's host says is what is true."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lapel.credentials.baking import BakedVersion, bake
from lapel.domain.fetching import Fetched, FetchFailed, FetchNotFound, FetchTimeout
from lapel.services.verifying import Kind, Outcome, Report
from tests.support.badge_images import SVG
from tests.unit.services.verifying.badges_2 import (
    ASSERTION,
    BADGE_CLASS,
    BASE,
    ISSUER,
    assertion,
    badge_class,
    profile,
    signed_assertion,
)
from tests.unit.services.verifying.world import World, failed, with_outcome


def unknown(report: Report) -> list[tuple[str, str | None]]:
    return with_outcome(report, Outcome.UNKNOWN)


async def test_an_assertion_that_its_host_has_is_valid(hosted: World) -> None:
    report = await hosted.verify(assertion(), expected_recipient="ada@example.org")

    assert report.valid is True
    assert [check.code.value for check in report.checks] == [
        "structure",
        "hosted",
        "badge_class",
        "issuer",
        "status",
        "validity",
        "recipient",
    ]
    assert report.shown.kind is Kind.BADGE_2
    assert (report.shown.name, report.shown.issuer_name) == ("Chess", "The School")


async def test_an_image_may_carry_the_assertion_or_its_address(hosted: World) -> None:
    carried = bake(SVG, json.dumps(assertion()), version=BakedVersion.OB_2_0)
    named = bake(SVG, ASSERTION, version=BakedVersion.OB_2_0)

    assert (await hosted.verify(carried)).valid is True
    assert (await hosted.verify(named)).valid is True


async def test_an_embedded_badge_class_is_the_one_at_its_address(hosted: World) -> None:
    assert (await hosted.verify(assertion(badge=badge_class()))).valid is True


async def test_a_copy_of_another_badge_fails_hosted(hosted: World) -> None:
    report = await hosted.verify(assertion(badge=f"{BASE}/badge-classes/4"))

    assert failed(report) == [("hosted", "hosted_differs")]


async def test_an_assertion_of_which_its_host_does_not_answer_fails_hosted(hosted: World) -> None:
    hosted.web.publish(ASSERTION, assertion(verification={"type": "SignedBadge"}))

    assert failed(await hosted.verify(assertion())) == [("hosted", "hosted_differs")]


async def test_what_the_host_has_counts_whatever_else_a_copy_says(hosted: World) -> None:
    """OB 2.0, "HostedBadge Verification": input is trusted for the URI alone, the retrieved data are the Assertion."""
    eve = {"type": "email", "hashed": False, "identity": "eve@example.org"}
    old = assertion(issuedOn=None, expires="2026-05-02T00:00:00Z", recipient=eve, badge=badge_class(name="Go"))
    report = await hosted.verify(old)
    assert (report.valid, with_outcome(report, Outcome.WARN)) == (True, [("hosted", "hosted_differs")])
    assert report.checks[1].detail == "expires, issuedOn, recipient"
    assert (report.shown.name, report.shown.recipient, report.shown.valid_until) == ("Chess", "ada@example.org", None)
    assert ("recipient", "recipient_mismatch") in failed(await hosted.verify(old, expected_recipient="eve@example.org"))
    assert (await hosted.verify(assertion(badge=None, recipient=None))).valid is True

    hosted.web.publish(ASSERTION, old)
    assert failed(await hosted.verify(assertion())) == [("structure", "member_missing"), ("validity", "expired")]


async def test_an_assertion_that_its_host_does_not_have_fails_hosted(hosted: World) -> None:
    hosted.web.fail(ASSERTION, FetchNotFound("404", status=404))

    assert failed(await hosted.verify(assertion())) == [("hosted", "hosted_missing")]


async def test_a_host_that_answers_with_something_else_fails_hosted(hosted: World) -> None:
    hosted.web.publish(ASSERTION, b"Hello")

    assert failed(await hosted.verify(assertion())) == [("hosted", "document_invalid")]


async def test_a_gone_assertion_is_revoked_with_its_reason(hosted: World) -> None:
    body = json.dumps({"id": ASSERTION, "revoked": True, "revocationReason": "By mistake."}).encode()
    hosted.web.fail(ASSERTION, FetchNotFound("410", status=410, body=body))

    report = await hosted.verify(assertion())

    assert failed(report) == [("status", "revoked")]
    assert [check.detail for check in report.checks if check.code == "status"] == ["By mistake."]


async def test_the_address_of_a_gone_assertion_is_a_revoked_badge(hosted: World) -> None:
    hosted.web.fail(ASSERTION, FetchNotFound("410", status=410, body=b'{"revoked": true}'))

    report = await hosted.verifying.verify_url(ASSERTION)

    assert failed(report) == [("status", "revoked")]
    assert report.shown.credential_id == ASSERTION


async def test_a_gone_assertion_need_not_say_that_it_is_revoked(hosted: World) -> None:
    """OB 2.0, "Revoking Hosted Assertions": "either the 410 Gone status or a response body declaring revoked true"."""
    hosted.web.fail(ASSERTION, FetchNotFound("410", status=410, body=json.dumps(assertion()).encode()))

    assert failed(await hosted.verifying.verify_url(ASSERTION)) == [("status", "revoked")]


async def test_an_address_with_nothing_behind_it_is_no_badge(hosted: World) -> None:
    hosted.web.fail(ASSERTION, FetchNotFound("410", status=410, body=b"gone"))

    with pytest.raises(FetchNotFound):
        await hosted.verifying.verify_url(ASSERTION)


async def test_an_assertion_that_says_itself_that_it_is_revoked_is_revoked(hosted: World) -> None:
    hosted.web.publish(ASSERTION, {"id": ASSERTION, "revoked": True})

    assert failed(await hosted.verify(assertion())) == [("status", "revoked")]


async def test_with_the_network_away_nothing_is_called_false(hosted: World) -> None:
    hosted.web.go_down()

    report = await hosted.verify(assertion())

    assert report.valid is None
    assert failed(report) == []
    assert ("hosted", "unreachable") in unknown(report)


@pytest.mark.parametrize(
    ("address", "answer", "expected"),
    [
        (BADGE_CLASS, badge_class(id="x"), ("badge_class", "document_id")),
        (BADGE_CLASS, badge_class(type="Achievement"), ("badge_class", "document_invalid")),
        (BADGE_CLASS, badge_class(criteria=None), ("badge_class", "member_missing")),
        (BADGE_CLASS, badge_class(image=None), ("badge_class", "member_missing")),
        (BADGE_CLASS, [], ("badge_class", "document_invalid")),
        (ISSUER, profile(id="x"), ("issuer", "document_id")),
        (ISSUER, profile(name=None), ("issuer", "member_missing")),
        (ISSUER, profile(url=None), ("issuer", "member_missing")),
        (ISSUER, profile(email=None), ("issuer", "member_missing")),
    ],
)
async def test_a_linked_document_that_is_not_what_it_should_be_fails_its_check(
    hosted: World, address: str, answer: object, expected: tuple[str, str]
) -> None:
    hosted.web.publish(address, answer)

    assert failed(await hosted.verify(assertion()))[0] == expected


@pytest.mark.parametrize("address", [BADGE_CLASS, ISSUER])
@pytest.mark.parametrize("status", [404, 410])
async def test_a_linked_document_that_is_not_there_fails_its_check(hosted: World, address: str, status: int) -> None:
    hosted.web.fail(address, FetchNotFound(str(status), status=status))

    assert failed(await hosted.verify(assertion()))[0][1] == "hosted_missing"


async def test_an_assertion_elsewhere_than_its_issuer_says_fails_issuer(hosted: World) -> None:
    """Anybody can host an assertion that names somebody else's badge class."""
    elsewhere = "https://mallory.example/assertions/1"
    hosted.web.publish(elsewhere, assertion(id=elsewhere))

    assert failed(await hosted.verify(assertion(id=elsewhere))) == [("issuer", "hosted_elsewhere")]


@pytest.mark.parametrize(
    ("rules", "valid"),
    [
        ({"allowedOrigins": ["badges.example"]}, True),
        ({"allowedOrigins": "badges.example"}, True),
        ({"startsWith": ["https://badges.example/a/"]}, True),
        ({"startsWith": "https://badges.example/b/"}, False),
        ({"startsWith": "https://badges.example/a/", "allowedOrigins": "other.example"}, False),
    ],
)
async def test_an_issuer_may_keep_its_assertions_elsewhere(hosted: World, rules: dict[str, Any], valid: bool) -> None:
    elsewhere = "https://badges.example/a/1"
    hosted.web.publish(elsewhere, assertion(id=elsewhere))
    hosted.web.publish(ISSUER, profile(verification=rules))

    assert (await hosted.verify(assertion(id=elsewhere))).valid is valid


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"expires": "2026-05-31T00:00:00Z"}, "expired"),
        ({"issuedOn": "2026-06-02T00:00:00Z"}, "not_yet_valid"),
    ],
)
async def test_outside_of_its_period_it_fails_validity(hosted: World, changes: dict[str, Any], expected: str) -> None:
    hosted.web.publish(ASSERTION, assertion(**changes))

    assert failed(await hosted.verify(assertion(**changes))) == [("validity", expected)]


@pytest.mark.parametrize(
    "moment",
    [
        "2026-05-31T12:00Z",
        "2026-05-31T12:00:00+0000",
        "2026-05-31T12:00:00-03",
        "20260531T120000Z",
        "2026-05-31T12:00:00,5Z",
    ],
)
async def test_times_may_be_written_in_every_way_of_iso_8601(hosted: World, moment: str) -> None:
    """OB 2.0, "Primitive datatypes": seconds are optional."""
    badge = assertion(issuedOn=moment, expires=moment.replace("2026", "2027"))
    hosted.web.publish(ASSERTION, badge)
    assert (await hosted.verify(badge)).valid is True

    ended = assertion(expires=moment)
    hosted.web.publish(ASSERTION, ended)
    assert failed(await hosted.verify(ended)) == [("validity", "expired")]


@pytest.mark.parametrize("moment", ["2026-05-01T12:00:00", "2026-05-01"])
async def test_a_time_has_an_offset(hosted: World, moment: str) -> None:
    given = assertion(issuedOn=moment, expires=moment)
    hosted.web.publish(ASSERTION, given)
    report = await hosted.verify(given)
    assert (failed(report), unknown(report)) == ([("structure", "member_missing")], [("validity", "member_invalid")])


@pytest.mark.parametrize("kind", [None, "BadgeClass"])
async def test_an_issuer_that_is_no_profile_fails_issuer(hosted: World, kind: str | None) -> None:
    hosted.web.publish(ISSUER, profile(type=kind))

    assert failed(await hosted.verify(assertion())) == [("issuer", "document_invalid")]


async def test_an_end_that_cannot_be_read_is_not_taken_for_none(hosted: World) -> None:
    hosted.web.publish(ASSERTION, assertion(expires="some day"))

    assert unknown(await hosted.verify(assertion(expires="some day"))) == [("validity", "member_invalid")]


@pytest.mark.parametrize("name", ["@context", "recipient", "issuedOn"])
async def test_an_assertion_that_lacks_a_member_fails_structure(hosted: World, name: str) -> None:
    hosted.web.publish(ASSERTION, assertion(**{name: None}))

    assert failed(await hosted.verify(assertion(**{name: None}))) == [("structure", "member_missing")]


@pytest.mark.parametrize(
    "change",
    [
        {"hashed": "yes"},
        {"hashed": None},
        {"hashed": True},
        {"identity": 7},
        {"identity": f"md5${'0' * 32}"},
        {"type": None},
    ],
)
async def test_a_recipient_that_cannot_be_told_fails_structure(hosted: World, change: dict[str, Any]) -> None:
    changed = assertion(recipient={**assertion()["recipient"], **change})
    hosted.web.publish(ASSERTION, changed)

    assert failed(await hosted.verify(changed)) == [("structure", "member_missing")]


@pytest.mark.parametrize(
    ("kind", "identity", "expected", "outcome"),
    [
        ("name", "Ada", "Ada", "fail"),
        ("telephone", "+44 20 7946 0958", "+442079460958", "pass"),
        ("url", "https://ada.example", "https://ada.example", "pass"),
    ],
)
async def test_only_what_identifies_a_person_is_compared(
    hosted: World, kind: str, identity: str, expected: str, outcome: str
) -> None:
    badge = assertion(recipient={"type": kind, "hashed": False, "identity": identity})
    hosted.web.publish(ASSERTION, badge)

    report = await hosted.verify(badge, expected_recipient=expected)

    assert [check.outcome.value for check in report.checks if check.code == "recipient"] == [outcome]


async def test_the_wrong_person_fails_recipient(hosted: World) -> None:
    report = await hosted.verify(assertion(), expected_recipient="eve@example.org")

    assert failed(report) == [("recipient", "recipient_mismatch")]
    report = await hosted.verify(assertion(), expected_recipient="Eve")
    assert any("by an e-mail address alone" in check.sentence for check in report.checks)


async def test_a_signed_assertion_without_its_signature_fails_proof(hosted: World) -> None:
    assert failed(await hosted.verify(signed_assertion())) == [("proof", "proof_missing")]


async def test_a_token_with_a_hosted_assertion_is_looked_up_at_its_host(hosted: World) -> None:
    report = await hosted.verify(hosted.token({**assertion(), "validFrom": "2026-05-01T00:00:00Z", "issuer": ISSUER}))

    assert ("hosted", "hosted_differs") in failed(report)


async def test_a_badge_class_elsewhere_than_its_issuer_fails_issuer(hosted: World) -> None:
    elsewhere = "https://other.example/badge-classes/3"
    hosted.web.publish(elsewhere, badge_class(id=elsewhere))
    hosted.web.publish(ASSERTION, assertion(badge=elsewhere))

    assert failed(await hosted.verify(assertion(badge=elsewhere))) == [("issuer", "hosted_elsewhere")]


@pytest.mark.parametrize("error", [FetchTimeout("It took long."), FetchFailed("No route.")])
async def test_an_issuer_that_is_away_leaves_it_unknown(hosted: World, error: FetchFailed) -> None:
    hosted.web.fail(ISSUER, error)

    assert unknown(await hosted.verify(assertion())) == [("issuer", "unreachable")]


async def test_a_redirect_may_not_lead_out_of_the_issuers_place(hosted: World) -> None:
    """Many hosts redirect anybody anywhere: what is there is not theirs."""
    address = "https://school.example/login?next=https://evil.example/a.json"
    given = assertion(id=address)
    body = json.dumps(given).encode()
    hosted.web.pages[address] = Fetched("https://evil.example/a.json", "application/json", body, 200, None)

    assert ("issuer", "hosted_elsewhere") in failed(await hosted.verify(given))


async def test_an_issuer_whose_address_leads_to_another_host_is_not_believed(hosted: World) -> None:
    body = json.dumps(profile()).encode()
    hosted.web.pages[ISSUER] = Fetched("https://evil.example/issuer", "application/json", body, 200, None)

    assert ("issuer", "hosted_elsewhere") in failed(await hosted.verify(assertion()))


@pytest.mark.parametrize("spelt", ["bücher.example", "Bücher.example", "xn--bcher-kva.example."])
async def test_a_host_is_the_same_however_it_is_spelt(hosted: World, spelt: str) -> None:
    """Where a document was fetched is told in one way: in ASCII, without a final dot."""
    here, there = "https://school.example", f"https://{spelt}"
    for document in (assertion(), badge_class(), profile()):
        moved = json.loads(json.dumps(document).replace(here, there))
        landed = moved["id"].replace(spelt, "xn--bcher-kva.example")
        body = json.dumps(moved).encode()
        hosted.web.pages[moved["id"]] = Fetched(landed, "application/json", body, 200, None)

    report = await hosted.verify(json.loads(json.dumps(assertion()).replace(here, there)))

    assert failed(report) == []


@pytest.mark.parametrize(
    ("starts_with", "address", "within"),
    [
        ("https://school.example", "https://school.example/v2/assertions/7", True),
        ("https://school.example/v2/", "https://SCHOOL.example:443/v2/assertions/7", True),
        ("https://school.example", "https://school.example.evil.com/a", False),
        ("https://school.example", "https://school.example@evil.com/a", False),
        ("https://school.example/awards/", "https://school.example/awards/../~mallory/a", False),
        ("https://school.example/awards/", "https://school.example/awards/%2e%2E/~mallory/a", False),
        ("https://school.example/awards/", "https://school.example/awards/..%2f~mallory/a", False),
        ("https://school.example/awards/", "https://school.example/awards/..\\~mallory/a", False),
        ("https://school.example:8443/", "https://school.example/a", False),
    ],
)
async def test_startswith_compares_addresses_not_texts(
    hosted: World, starts_with: str, address: str, within: bool
) -> None:
    rules = {"startsWith": starts_with}
    hosted.web.publish(ISSUER, profile(verification=rules))
    hosted.web.publish(address, assertion(id=address))

    report = await hosted.verify(assertion(id=address))

    assert (("issuer", "hosted_elsewhere") not in failed(report)) is within
