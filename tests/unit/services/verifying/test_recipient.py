"""Whose badge is it?"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from lapel.services.verifying import Report
from lapel.services.verifying.recipient import check_recipient, shown_recipient
from tests.unit.services.verifying.world import World

SALT = "s4lt"


def hashed(
    identity: str, *, algorithm: str = "sha256", salt: str | None = SALT, kind: str = "emailAddress"
) -> dict[str, Any]:
    digest = hashlib.new(algorithm, (identity + (salt or "")).encode()).hexdigest()
    identifier = {
        "type": "IdentityObject",
        "hashed": True,
        "identityHash": f"{algorithm}${digest}",
        "identityType": kind,
    }
    return {"identifier": [identifier if salt is None else {**identifier, "salt": salt}]}


def plain(identity: str, kind: str = "emailAddress") -> dict[str, Any]:
    identifier = {"type": "IdentityObject", "hashed": False, "identityHash": identity, "identityType": kind}
    return {"identifier": [identifier]}


MATCHES = [
    (plain("ada@example.org"), "ada@example.org"),
    (plain("ada@example.org"), " mailto:ada@example.org "),
    (plain("Ada@Example.org"), "ada@example.org"),
    (hashed("ada@example.org"), "ada@example.org"),
    (hashed("ada@example.org"), "Ada@Example.ORG"),
    (hashed("Ada@example.org"), "Ada@EXAMPLE.org"),
    (hashed("ada@example.org", salt=None), "ada@example.org"),
    (hashed("ada@example.org", algorithm="md5"), "ada@example.org"),
    (plain("s-17", "studentId"), "s-17"),
    (plain("ada", "userName"), "ada"),
    (plain("+44 20 7946-0958", "telephone"), "tel:+442079460958"),
    (hashed("+442079460958", kind="ext:phone"), "+44 (20) 7946-0958"),
    ({"id": "did:example:ada"}, "did:example:ada"),
    ({"id": "mailto:ada@example.org"}, "ada@example.org"),
    (
        {"identifier": [*plain("eve@example.org")["identifier"], *plain("ada@example.org")["identifier"]]},
        "ada@example.org",
    ),
]

MISMATCHES = [
    (plain("ada@example.org"), "eve@example.org"),
    (plain("s-17", "studentId"), "S-17"),
    (plain("ada@example.org", "studentId"), "ada@example.org"),
    (plain("Ada", "name"), "Ada"),
    (hashed("Ada", kind="name"), "Ada"),
    (plain("Ada", "ext:displayName"), "Ada"),
    (plain("978-3-16", "isbn"), "978-3-16"),
    (plain("Ada", ""), "Ada"),
    (hashed("+442079460958", kind="ext:phone"), "+442079460959"),
    (hashed("ada@example.org"), hashed("ada@example.org")["identifier"][0]["identityHash"]),
    ({"identifier": [{**hashed("ada@example.org")["identifier"][0], "salt": "other"}]}, "ada@example.org"),
    ({"identifier": [{**hashed("ada@example.org")["identifier"][0], "identityHash": "sha256$"}]}, "ada@example.org"),
    ({"identifier": [{**hashed("a@b.c")["identifier"][0], "identityHash": "crc32$1"}]}, "a@b.c"),
    ({"id": "did:example:ada"}, "did:example:adam"),
    ({"id": ""}, ""),
    ({}, "mailto:"),
    ({}, "\ud800@example.org"),
]


@pytest.mark.parametrize(("subject", "expected"), MATCHES)
def test_whom_the_badge_names_is_recognised(subject: dict[str, Any], expected: str) -> None:
    assert check_recipient(subject, expected).outcome == "pass"


@pytest.mark.parametrize(("subject", "expected"), MISMATCHES)
def test_anybody_else_is_not(subject: dict[str, Any], expected: str) -> None:
    check = check_recipient(subject, expected)

    assert (check.outcome.value, check.problem) == ("fail", "recipient_mismatch")


@pytest.mark.parametrize(
    ("subject", "expected", "is_told"),
    [
        (hashed("ada@example.org"), "Ada Lovelace", True),
        (hashed("ada@example.org"), "mailto:eve@example.org", False),
        (plain("4711", "studentId"), "Ada Lovelace", False),
        ({**hashed("ada@example.org"), "id": "did:example:ada"}, "Ada Lovelace", False),
        ({}, "Ada Lovelace", False),
    ],
)
def test_whoever_asks_for_something_else_than_the_e_mail_address_in_it_is_told(
    subject: dict[str, Any], expected: str, is_told: bool
) -> None:
    check = check_recipient(subject, expected)

    assert ("by an e-mail address alone" in check.sentence) is is_told
    assert check.problem == "recipient_mismatch"


async def test_the_wrong_person_fails_recipient_and_nothing_else(world: World) -> None:
    report: Report = await world.verify(world.sign(world.badge()), expected_recipient="eve@example.org")

    assert report.valid is False
    assert [check.code.value for check in report.checks if check.outcome == "fail"] == ["recipient"]


NAMED = {"type": "IdentityObject", "hashed": False, "identityHash": "Ada Lovelace", "identityType": "name"}


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        (plain("ada@example.org"), "ada@example.org"),
        (hashed("ada@example.org"), "hashed emailAddress"),
        ({"id": "did:example:ada", **plain("ada@example.org")}, "did:example:ada"),
        ({"identifier": [*hashed("ada@example.org")["identifier"], NAMED]}, "Ada Lovelace"),
        ({"identifier": [{**NAMED, "identityHash": ""}]}, None),
        ({}, None),
    ],
)
def test_what_is_plain_is_shown_and_a_hash_is_not(subject: dict[str, Any], shown: str | None) -> None:
    assert shown_recipient(subject) == shown
