"""Has it been taken back? And is the list that says so the issuer's?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lapel.credentials import bitstring_status_list
from lapel.credentials.jose import base64url
from lapel.domain.fetching import FetchNotFound, FetchTimeout
from lapel.domain.status_list import StatusPurpose
from lapel.services.verifying import Report
from tests.unit.services.verifying.test_envelopes import envelope
from tests.unit.services.verifying.world import ISSUER, LIST, NOW, World, failed

REVOCATIONS = "https://school.example/revocations"


def status(report: Report) -> list[tuple[str, str | None]]:
    return [(c.outcome.value, c.problem and c.problem.value) for c in report.checks if c.code == "status"]


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "id": f"{LIST}#5",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "5",
        "statusListCredential": LIST,
        **changes,
    }


async def test_without_a_status_there_is_nothing_to_ask(world: World) -> None:
    report = await world.verify(world.sign(world.badge(credentialStatus=None)))

    assert (status(report), report.valid) == ([("skip", None)], True)


async def test_a_revoked_badge_fails_status_and_nothing_else(world: World) -> None:
    world.publish_list(5)

    report = await world.verify(world.sign(world.badge()))

    assert status(report) == [("fail", "revoked")]
    assert len(failed(report)) == 1


async def test_a_list_that_was_signed_while_the_badge_was_verified_counts(world: World) -> None:
    world.publish_list(5, changes={"validFrom": "2026-06-01T12:00:01Z"})

    assert status(await world.verify(world.sign(world.badge()))) == [("fail", "revoked")]


async def test_the_neighbours_of_a_badge_in_the_list_do_not_matter(world: World) -> None:
    world.publish_list(4, 6)

    assert status(await world.verify(world.sign(world.badge()))) == [("pass", None)]


async def test_a_suspended_badge_fails_status(world: World) -> None:
    world.publish_list(5, purpose=StatusPurpose.SUSPENSION)
    badge = world.badge(credentialStatus=entry(statusPurpose="suspension"))

    assert status(await world.verify(world.sign(badge))) == [("fail", "suspended")]


OTHER = "https://school.example/v3/status-lists/1/revocations"


@pytest.mark.parametrize(
    ("reference", "revoked", "expected"),
    [
        (f"{OTHER}#5", [5], "revoked"),
        ([f"{OTHER}#5"], [5], "revoked"),
        (f"{OTHER}#5", [], "suspended"),
        (f"{OTHER}#6", [5, 6], "suspended"),  # another index: not an entry of this badge
        (OTHER, [5], "suspended"),
        ("https://school.example/handbook#5", [5], "suspended"),  # nothing is there
        (None, [5], "suspended"),
    ],
)
async def test_a_suspension_that_is_for_good_is_said_to_be_a_revocation(
    world: World, reference: Any, revoked: list[int], expected: str
) -> None:
    world.publish_list(*revoked, changes={"id": OTHER})
    world.web.pages[OTHER] = world.web.pages[LIST]
    world.publish_list(5, purpose=StatusPurpose.SUSPENSION)
    given = entry(statusPurpose="suspension", **({} if reference is None else {"statusReference": reference}))

    assert status(await world.verify(world.sign(world.badge(credentialStatus=given)))) == [("fail", expected)]


async def test_a_reference_is_only_asked_for_where_the_bit_is_set(world: World) -> None:
    world.publish_list(purpose=StatusPurpose.SUSPENSION)
    given = entry(statusPurpose="suspension", statusReference=f"{OTHER}#5")

    assert status(await world.verify(world.sign(world.badge(credentialStatus=given)))) == [("pass", None)]
    assert OTHER not in world.web.asked


async def test_somebody_elses_list_behind_a_reference_does_not_count(world: World) -> None:
    world.publish_list(5, changes={"id": OTHER}, signer=world.new_signer())
    world.web.pages[OTHER] = world.web.pages[LIST]
    world.publish_list(5, purpose=StatusPurpose.SUSPENSION)
    given = entry(statusPurpose="suspension", statusReference=f"{OTHER}#5")

    assert status(await world.verify(world.sign(world.badge(credentialStatus=given)))) == [("fail", "suspended")]


LIST_2021 = "https://w3id.org/vc/status-list/2021/v1"


@pytest.mark.parametrize(("bits", "expected"), [([], ("pass", None)), ([5], ("fail", "revoked"))])
@pytest.mark.parametrize("changes", [{}, {"statusPurpose": "suspension"}, {"type": "BitstringStatusListEntry"}])
async def test_a_list_of_2021_is_understood(
    world: World, bits: list[int], expected: tuple[str, str | None], changes: dict[str, Any]
) -> None:
    encoded = bitstring_status_list.encode(bitstring_status_list.from_indices(bits))
    listed: dict[str, Any] = {
        "@context": [
            "https://www.w3.org/2018/credentials/v1",
            LIST_2021,
            "https://w3id.org/security/data-integrity/v2",
        ],
        "id": LIST,
        "type": ["VerifiableCredential", "StatusList2021Credential"],
        "issuer": ISSUER,
        "issuanceDate": "2026-05-01T00:00:00Z",
        "credentialSubject": {
            "id": f"{LIST}#list",
            "type": "StatusList2021",
            "statusPurpose": "revocation",
            "encodedList": encoded[1:],
        },
    }
    world.web.publish(LIST, world.sign(listed))
    badge = world.badge(credentialStatus=entry(type="StatusList2021Entry") | changes)
    badge["@context"].append(LIST_2021)

    report = await world.verify(world.sign(badge))

    # An entry is only answered by a list of its own purpose and specification.
    problem = "status_list_invalid" if "type" in changes else "status_list_mismatch"
    assert status(report) == [("fail", problem) if changes else expected]
    assert report.valid is (not bits and not changes)


async def test_every_entry_is_asked_for(world: World) -> None:
    other = "https://school.example/v3/status-lists/2"
    world.publish_list(5, purpose=StatusPurpose.SUSPENSION, changes={"id": other})
    world.web.pages[other] = world.web.pages[LIST]
    world.publish_list()
    badge = world.badge(
        credentialStatus=[entry(), entry(id=f"{other}#5", statusPurpose="suspension", statusListCredential=other)]
    )

    assert status(await world.verify(world.sign(badge))) == [("pass", None), ("fail", "suspended")]


async def test_more_entries_than_are_asked_for_are_not_forgotten(world: World) -> None:
    badge = world.badge(credentialStatus=[entry(id=f"{LIST}#{n}", statusListIndex=str(n)) for n in range(9)])

    report = await world.verify(world.sign(badge))

    assert status(report) == [("pass", None)] * 4 + [("unknown", "status_unsupported")]


@pytest.mark.parametrize("error", [FetchTimeout("It took long."), FetchNotFound("404", status=404)])
async def test_a_list_that_cannot_be_had_leaves_it_unknown(world: World, error: Any) -> None:
    world.web.fail(LIST, error)

    report = await world.verify(world.sign(world.badge()))

    assert status(report) == [("unknown", "unreachable")]
    assert report.valid is None


@pytest.mark.parametrize(
    ("index", "problem"),
    [("131072", "status_outside_list"), ("-1", "member_invalid"), ("five", "member_invalid")],
)
async def test_an_entry_that_cannot_be_used_fails_status(world: World, index: str, problem: str) -> None:
    report = await world.verify(world.sign(world.badge(credentialStatus=entry(statusListIndex=index))))

    assert status(report) == [("fail", problem)]
    assert len(failed(report)) == 1


def subject(**changes: Any) -> dict[str, Any]:
    encoded = bitstring_status_list.encode(bitstring_status_list.from_indices([]))
    return {
        "credentialSubject": {
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "encodedList": encoded,
            **changes,
        }
    }


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": "https://school.example/v3/status-lists/9"}, "status_list_mismatch"),
        ({"type": ["VerifiableCredential"]}, "status_list_invalid"),
        ({"description": 7}, "status_list_invalid"),
        (subject(statusPurpose="suspension"), "status_list_mismatch"),
        (subject(statusPurpose=["revocation", {"id": "urn:uuid:1"}]), "status_list_invalid"),
        (subject(encodedList="u" + "A" * 100), "status_list_invalid"),
    ],
)
async def test_a_list_of_another_sort_fails_status(world: World, changes: dict[str, Any], problem: str) -> None:
    world.publish_list(changes=changes)

    report = await world.verify(world.sign(world.badge()))

    assert status(report) == [("fail", problem)]
    assert len(failed(report)) == 1


@pytest.mark.parametrize("body", [b"{", b"[]", b"https://school.example/", b"\x89PNG\r\n\x1a\n"])
async def test_a_list_that_cannot_be_read_fails_status(world: World, body: bytes) -> None:
    world.web.publish(LIST, body)

    assert status(await world.verify(world.sign(world.badge()))) == [("fail", "status_list_invalid")]


@pytest.mark.parametrize("changes", [{"validUntil": "2026-05-31T00:00:00Z"}, {"validFrom": "last week"}])
async def test_a_list_past_its_end_or_of_no_known_start_leaves_it_unknown(world: World, changes: Any) -> None:
    world.publish_list(changes=changes)

    assert status(await world.verify(world.sign(world.badge()))) == [("unknown", "status_list_invalid")]


def unsigned(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "proof"}


def altered(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "validFrom": "2026-05-30T00:00:00Z"}


@pytest.mark.parametrize("change", [unsigned, altered])
async def test_a_list_without_the_issuers_signature_fails_status(
    world: World, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    world.web.publish(LIST, change(world.sign(empty_list())))

    assert status(await world.verify(world.sign(world.badge()))) == [("fail", "status_list_untrusted")]


async def test_a_list_signed_by_somebody_else_fails_status(world: World) -> None:
    world.publish_list(signer=world.new_signer())

    assert status(await world.verify(world.sign(world.badge()))) == [("fail", "status_list_untrusted")]


async def test_a_genuine_list_of_another_issuer_leaves_it_unknown(world: World) -> None:
    """Bitstring Status List 1.0, 2.2: the two issuers may differ; whether this one was entrusted is not written."""
    world.web.publish(LIST, world.sign(empty_list() | {"issuer": world.did}, method_id=f"{world.did}#{world.multikey}"))

    assert status(await world.verify(world.sign(world.badge()))) == [("unknown", "status_list_untrusted")]


async def test_a_list_whose_key_cannot_be_had_leaves_it_unknown(world: World) -> None:
    method_id = f"{world.did}#{world.multikey}"
    world.web.fail(ISSUER, FetchTimeout("It took long."))

    report = await world.verify(world.sign(world.badge(), method_id=method_id))

    assert status(report) == [("unknown", "not_checked")]


async def test_a_list_may_be_a_token(world: World) -> None:
    encoded = bitstring_status_list.encode(bitstring_status_list.from_indices([5]))
    document = bitstring_status_list.list_credential(
        list_url=LIST, issuer=ISSUER, purpose=StatusPurpose.REVOCATION, encoded_list=encoded, valid_from=NOW
    )
    world.web.publish(LIST, world.token(document).encode(), media_type="application/jwt")

    assert status(await world.verify(world.sign(world.badge()))) == [("fail", "revoked")]


async def test_a_list_may_come_in_an_envelope(world: World) -> None:
    world.web.publish(LIST, envelope(world.token(empty_list())))
    assert status(await world.verify(world.sign(world.badge()))) == [("pass", None)]

    world.web.publish(LIST, envelope(world.token(empty_list(), signer=world.new_signer())))
    assert status(await world.verify(world.sign(world.badge()))) == [("fail", "status_list_untrusted")]


def other_algorithm(token: str) -> bytes:
    header = base64url.encode(b'{"alg": "ES384"}')
    return f"{header}.{token.partition('.')[2]}".encode()


@pytest.mark.parametrize(
    "secured",
    [
        other_algorithm,
        lambda token: envelope(other_algorithm(token).decode()),
        lambda token: envelope("", id=f"data:application/vc+sd-jwt,{token}"),
    ],
    ids=["token", "envelope", "sd-jwt"],
)
async def test_a_list_that_is_secured_in_another_way_leaves_it_unknown(
    world: World, secured: Callable[[str], object]
) -> None:
    """That this server does not understand it says nothing against the badge."""
    world.web.publish(LIST, secured(world.token(empty_list())))

    assert status(await world.verify(world.sign(world.badge()))) == [("unknown", "not_checked")]


async def with_a_short_list(world: World) -> Report:
    """131,072 places make half as many entries of two bits."""
    encoded = empty_list()["credentialSubject"]["encodedList"]
    world.publish_list(changes=subject(statusPurpose="message", encodedList=encoded))
    messages = [{"status": hex(value), "message": str(value)} for value in range(4)]
    status_entry = entry(statusPurpose="message", statusSize=2, statusMessage=messages)
    return await world.verify(world.sign(world.badge(credentialStatus=status_entry)))


async def with_an_entry_beyond_its_list(world: World) -> Report:
    return await world.verify(world.sign(world.badge(credentialStatus=entry(statusListIndex="131072"))))


def empty_list() -> dict[str, Any]:
    encoded = bitstring_status_list.encode(bitstring_status_list.from_indices([]))
    return dict(
        bitstring_status_list.list_credential(
            list_url=LIST, issuer=ISSUER, purpose=StatusPurpose.REVOCATION, encoded_list=encoded, valid_from=NOW
        )
    )


async def test_a_status_of_another_kind_is_unknown(world: World) -> None:
    badge = world.badge(credentialStatus={"id": REVOCATIONS, "type": "1EdTechCredentialRefresh"})
    badge["@context"].append("https://purl.imsglobal.org/spec/ob/v3p0/extensions.json")

    assert status(await world.verify(world.sign(badge))) == [("unknown", "status_unsupported")]


REVOKED = {"id": "https://school.example/v3/credentials/7", "revocationReason": "Issued by mistake."}


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ({"issuer": ISSUER, "revokedCredential": []}, ("pass", None)),
        ({"issuer": {"id": ISSUER}, "revokedCredentials": ["urn:uuid:1"]}, ("pass", None)),
        ({"issuer": ISSUER, "revokedCredential": [{**REVOKED, "revoked": False}]}, ("pass", None)),
        ({"issuer": ISSUER, "revokedCredential": [REVOKED]}, ("fail", "revoked")),
        ({"issuer": ISSUER, "revokedCredentials": [REVOKED["id"]]}, ("fail", "revoked")),
        ({"issuer": "https://other.example/", "revokedCredential": []}, ("fail", "status_list_untrusted")),
        ({"issuer": ISSUER}, ("fail", "status_list_invalid")),
        ([], ("fail", "status_list_invalid")),
    ],
)
async def test_the_plain_revocation_list_is_understood(
    world: World, published: object, expected: tuple[str, str | None]
) -> None:
    world.web.publish(REVOCATIONS, published)
    badge = world.badge(credentialStatus={"id": REVOCATIONS, "type": "1EdTechRevocationList"})
    badge["@context"].append("https://purl.imsglobal.org/spec/ob/v3p0/extensions.json")

    assert status(await world.verify(world.sign(badge))) == [expected]


async def test_a_plain_revocation_list_that_cannot_be_had_leaves_it_unknown(world: World) -> None:
    world.web.fail(REVOCATIONS, FetchTimeout(f"It took {timedelta(seconds=10)}."))
    badge = world.badge(credentialStatus={"id": REVOCATIONS, "type": "1EdTechRevocationList"})
    badge["@context"].append("https://purl.imsglobal.org/spec/ob/v3p0/extensions.json")

    assert status(await world.verify(world.sign(badge))) == [("unknown", "unreachable")]
