"""What an Open Badges 2.0 badge links to: each required member is of its kind (OB 2.0, "Data Validation")."""

from __future__ import annotations

from typing import Any

import pytest

from lapel.services.verifying.findings import Findings
from lapel.services.verifying.open_badges_2.signed import unsigned
from tests.support.work import turns_given
from tests.unit.services.verifying.badges_2 import (
    ASSERTION,
    BADGE_CLASS,
    BASE,
    CONTEXT,
    ISSUER,
    assertion,
    badge_class,
    profile,
)
from tests.unit.services.verifying.world import World, failed


async def test_a_linked_document_without_a_context_says_nothing(hosted: World) -> None:
    hosted.web.publish(ISSUER, profile(**{"@context": None}))
    assert failed(await hosted.verify(assertion())) == [("issuer", "member_missing")]

    hosted.web.publish(BADGE_CLASS, badge_class(**{"@context": None}))
    assert failed(await hosted.verify(assertion())) == [("badge_class", "member_missing"), ("issuer", "member_missing")]


@pytest.mark.parametrize("kind", ["Extension", ["Extension", "extensions:ApplyLink"]])
async def test_extensions_and_further_contexts_change_nothing(hosted: World, kind: object) -> None:
    """Terms of their own come with contexts of their own; their schemas are optional (OB 2.0, "Extensions")."""
    context = [CONTEXT, {"foo": "https://example.org/foo"}, "https://example.org/context"]
    link = {"@context": "https://w3id.org/openbadges/extensions/applyLinkExtension/context.json", "type": kind}
    more = {"@context": context, "foo": "bar", "schema:comment": "baz", "extensions:ApplyLink": {**link, "url": BASE}}
    hosted.web.publish(ASSERTION, assertion(**more))
    hosted.web.publish(BADGE_CLASS, badge_class(**more))
    hosted.web.publish(ISSUER, profile(**more))

    report = await hosted.verify(assertion(**more))

    assert report.valid is True
    assert all(check.outcome != "warn" for check in report.checks)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": 5},
        {"description": ["x", "y"]},
        {"image": "picture"},
        {"image": {"caption": "x"}},
        {"criteria": {"type": "Criteria"}},
        {"criteria": "Win a game."},
        {"criteria": {"id": "https://school.example/criteria", "narrative": 7}},
        {"image": {"id": f"{BADGE_CLASS}/image", "caption": 7}},
        {"tags": ["chess", 7]},
        {"alignment": "https://example.org/framework"},
        {"alignment": [{"targetName": 7, "targetUrl": "https://example.org/framework"}]},
        {"alignment": [{"targetName": "Thinking"}]},
        {"alignment": {"targetUrl": "https://example.org/framework"}},
        {"alignment": {"targetName": "Thinking", "targetUrl": "framework"}},
        {"image": {"id": f"{BADGE_CLASS}/image", "author": "Bob"}},
        {"criteria": {"id": "criteria", "narrative": "Win a game."}},
        {"related": "chess"},
        {"related": {"version": "1"}},
        {"version": True},
        {"@language": 7},
    ],
)
async def test_a_badge_class_with_a_member_of_another_kind_fails(hosted: World, changes: dict[str, Any]) -> None:
    hosted.web.publish(BADGE_CLASS, badge_class(**changes))

    assert failed(await hosted.verify(assertion())) == [("badge_class", "member_invalid")]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": {"en": "x"}},
        {"url": "nowhere"},
        {"email": "x"},
        {"telephone": 7},
        {"image": 7},
        {"verification": "x"},
    ],
)
async def test_an_issuer_with_a_member_of_another_kind_fails(hosted: World, changes: dict[str, Any]) -> None:
    hosted.web.publish(ISSUER, profile(**changes))

    assert failed(await hosted.verify(assertion())) == [("issuer", "member_invalid")]


@pytest.mark.parametrize(
    "changes",
    [
        {"image": {"id": "data:image/png;base64,AAAA", "caption": "x"}},
        {"image": "data:image/svg+xml,%3Csvg/%3E"},
        {"criteria": "https://school.example/criteria"},
        {"criteria": {"id": "https://school.example/criteria"}},
        {"tags": "chess", "alignment": None, "more": 7},
        {"alignment": {"targetName": "Thinking", "targetUrl": "https://example.org/framework", "more": 7}},
        {"image": {"id": f"{BADGE_CLASS}/image", "author": "https://example.org/bob"}},
        {"image": {"id": f"{BADGE_CLASS}/image", "author": {"id": "https://example.org/bob", "name": "Bob"}}},
        {"criteria": {"id": "urn:uuid:a953081a-4bbd-4927-9653-7219bca00e3b", "narrative": "Win a game."}},
        {"version": 2, "related": [{"id": f"{BASE}/1", "version": 1}, f"{BASE}/es"], "@language": "en"},
    ],
)
async def test_each_form_that_a_member_may_have_is_good(hosted: World, changes: dict[str, Any]) -> None:
    hosted.web.publish(BADGE_CLASS, badge_class(**changes))

    assert failed(await hosted.verify(assertion())) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"evidence": 7},
        {"evidence": ["https://school.example/essay", {"narrative": 7}]},
        {"evidence": "She won."},
        {"image": 7},
        {"image": "badge.png"},
        {"image": {"caption": "A knight"}},
        {"narrative": {"en": 7}},
        {"expires": "soon"},
        {"expires": 1893456000},
        {"expires": "2030-12-31T23:59:59"},  # "DateTime": Open Badges must express "a time zone indicator"
        {"recipient": {**assertion()["recipient"], "salt": 7}},
    ],
)
async def test_an_assertion_with_a_member_of_another_kind_fails(hosted: World, changes: dict[str, Any]) -> None:
    hosted.web.publish(ASSERTION, assertion(**changes))

    assert failed(await hosted.verify(assertion(**changes))) == [("structure", "member_invalid")]


@pytest.mark.parametrize(
    "members",
    [
        {"evidence": None, "narrative": None, "image": None},
        {"evidence": [], "narrative": "She won.", "image": f"{ASSERTION}/image"},
        {"evidence": "https://school.example/essay", "image": {"id": f"{ASSERTION}/image", "caption": "A knight"}},
        {"evidence": [{"id": "https://school.example/essay", "genre": "Essay", "more": 7}, {"narrative": "She won."}]},
    ],
)
async def test_each_form_that_a_member_of_an_assertion_may_have_is_good(hosted: World, members: dict[str, Any]) -> None:
    given = assertion() | members
    hosted.web.publish(ASSERTION, given)

    assert failed(await hosted.verify(given)) == []


@pytest.mark.parametrize("verification", [{}, {"type": "VerificationObject"}, {"type": []}, {"type": "Blockcerts"}])
async def test_a_verification_of_no_known_type_fails_structure(hosted: World, verification: dict[str, Any]) -> None:
    """OB 2.0, "VerificationObject": its type is required, and one of two."""
    report = await hosted.verify(assertion(verification=verification))

    assert failed(report) == [("structure", "member_missing"), ("proof", "proof_missing")]
    assert report.checks[0].detail == "verification"


async def test_a_large_one_without_its_signature_holds_nobody_up() -> None:
    given = assertion(evidence=[{"id": f"https://school.example/{n}"} for n in range(20_000)])

    assert await turns_given(unsigned(given, Findings())) > 0
