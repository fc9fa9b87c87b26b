"""Open Badges 2.0 is JSON-LD: what it holds for the same is the same, however it is spelt."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.services.verifying.badges_2 import (
    ASSERTION,
    BADGE_CLASS,
    ISSUER,
    KEY,
    REVOCATIONS,
    assertion,
    badge_class,
    cryptographic_key,
    jws,
    profile,
    publish_revocations,
    publish_signer,
    signed_assertion,
)
from tests.unit.services.verifying.world import World, failed, outcome

DATE_TIME = "http://www.w3.org/2001/XMLSchema#dateTime"


@pytest.fixture
def signer(world: World) -> World:
    publish_signer(world)
    return world


def in_arrays(document: dict[str, Any]) -> dict[str, Any]:
    """Each value as an array of itself."""
    return {name: value if name in ("@context", "id", "type") else [value] for name, value in document.items()}


def with_keywords(document: dict[str, Any]) -> dict[str, Any]:
    names = {"id": "@id", "type": "@type"}
    return {names.get(name, name): value for name, value in document.items()}


@pytest.mark.parametrize("spelt", [in_arrays, with_keywords])
async def test_one_value_in_an_array_and_the_names_of_keywords_mean_the_same(hosted: World, spelt: Any) -> None:
    """OB 2.0 Examples, "BadgeClass Example"; the OB 2.0 context has `id` and `type` for ``@id`` and ``@type``."""
    for address, document in ((ASSERTION, assertion()), (BADGE_CLASS, badge_class()), (ISSUER, profile())):
        hosted.web.publish(address, spelt(document))

    report = await hosted.verify(spelt(assertion()), expected_recipient="ada@example.org")
    assert (failed(report), report.valid) == ([], True)
    assert (report.shown.name, report.shown.recipient) == ("Chess", "ada@example.org")
    assert outcome(await hosted.verify(assertion()), "hosted") == ("pass", None)


@pytest.mark.parametrize(
    "changes",
    [
        {"verification": None, "verify": {"type": "hosted"}},
        {"badge": {"@id": BADGE_CLASS}},
        {"issuedOn": {"@type": DATE_TIME, "@value": "2026-05-01T00:00:00Z"}},
        {"narrative": {"@value": "She won."}, "evidence": [None]},
    ],
)
async def test_other_spellings_of_a_member_mean_the_same(hosted: World, changes: dict[str, Any]) -> None:
    hosted.web.publish(ASSERTION, assertion(**changes))

    assert (await hosted.verify(assertion(**changes))).valid is True


@pytest.mark.parametrize("namespace", ["obi:", "https://w3id.org/openbadges#"])
async def test_a_type_may_be_written_in_full(hosted: World, namespace: str) -> None:
    """A type is an IRI, of which ``Assertion`` is the short form in the context of OB 2.0."""
    types = {"type": f"{namespace}Assertion", "verification": {"type": [f"{namespace}HostedBadge"]}}
    hosted.web.publish(ASSERTION, assertion(**types))
    hosted.web.publish(BADGE_CLASS, badge_class(type=[f"{namespace}BadgeClass"]))
    hosted.web.publish(ISSUER, profile(type=f"{namespace}Issuer"))

    assert (await hosted.verify(assertion(**types))).valid is True


@pytest.mark.parametrize("kind", ["email", "schema:email", "http://schema.org/email", ["email"]])
async def test_the_type_of_a_recipient_is_the_iri_of_a_property(hosted: World, kind: object) -> None:
    """OB 2.0, "IdentityObject": "``email`` maps to ``http://schema.org/email``"."""
    given = assertion(recipient={"type": kind, "hashed": False, "identity": "ada@example.org"})
    hosted.web.publish(ASSERTION, given)

    assert (await hosted.verify(given, expected_recipient="ada@example.org")).valid is True
    assert failed(await hosted.verify(given, expected_recipient="eve@example.org")) == [
        ("recipient", "recipient_mismatch")
    ]


GERMAN, ENGLISH = {"@value": "Schach", "@language": "de"}, {"@value": "Chess", "@language": "en"}


@pytest.mark.parametrize("text", [ENGLISH, [ENGLISH, GERMAN]])
async def test_a_text_may_say_in_which_language_it_is(hosted: World, text: object) -> None:
    """OB 2.0, "Internationalization and Multilingual Badges": the string internationalisation of JSON-LD."""
    hosted.web.publish(BADGE_CLASS, badge_class(name=text, description=text, criteria={"narrative": text}))
    hosted.web.publish(ISSUER, profile(name=text, description=text))

    report = await hosted.verify(assertion())

    assert report.valid is True
    shown = report.shown
    assert {shown.name, shown.description, shown.criteria, shown.issuer_name} == {"Chess"}


async def test_an_id_in_an_array_is_none(hosted: World) -> None:
    """JSON-LD 1.1, 9.16: the value of ``@id`` is a string."""
    hosted.web.publish(ISSUER, profile(id=[ISSUER]))

    assert failed(await hosted.verify(assertion())) == [("issuer", "document_id")]


@pytest.mark.parametrize("name", ["verification", "verify"])
async def test_where_an_issuer_keeps_its_assertions_is_read_in_every_spelling(hosted: World, name: str) -> None:
    elsewhere = [{"startsWith": "https://elsewhere.example/"}]
    hosted.web.publish(ISSUER, profile(**{name: elsewhere}))

    assert failed(await hosted.verify(assertion())) == [("issuer", "hosted_elsewhere")]


async def test_a_revocation_is_read_in_every_spelling(hosted: World) -> None:
    hosted.web.publish(ASSERTION, assertion(revoked=[True]))

    assert failed(await hosted.verify(assertion())) == [("status", "revoked")]


async def test_whose_a_key_is_is_read_in_every_spelling(signer: World) -> None:
    signer.web.publish(KEY, cryptographic_key(signer, owner=["https://mallory.example/issuer"]))

    assert ("key", "key_controller") in failed(await signer.verify(jws(signer, signed_assertion())))


async def test_a_signed_badge_is_read_in_every_spelling(signer: World) -> None:
    signer.web.publish(KEY, with_keywords(in_arrays(cryptographic_key(signer))))
    publish_revocations(signer, issuer=[ISSUER])

    assert (await signer.verify(jws(signer, in_arrays(signed_assertion())))).valid is True


async def test_a_revocation_list_of_null_is_none(signer: World) -> None:
    signer.web.publish(REVOCATIONS, {"id": REVOCATIONS, "type": "RevocationList", "revokedAssertions": None})

    assert failed(await signer.verify(jws(signer, signed_assertion()))) == [("status", "status_list_invalid")]
