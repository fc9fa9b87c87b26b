"""Whatever a host publishes in place of a badge's documents, the verification ends with a report."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lapel.credentials import keys
from lapel.domain.fetching import Fetched
from lapel.errors import LapelError
from lapel.services.verifying.proofs import key_lookup
from tests.unit.services.verifying import badges_2
from tests.unit.services.verifying.standing.test_refresh import REFRESH, refreshable
from tests.unit.services.verifying.world import World, failed

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from([badges_2.ISSUER, badges_2.KEY, badges_2.ASSERTION, "https://a b", "https://[", "_:b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "type", "uid", "owner", "publicKeyPem", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
CHANGES = st.dictionaries(
    st.sampled_from(
        (
            *("@context", "id", "type", "name", "issuer", "badge", "recipient", "verification", "verify", "issuedOn"),
            *("expires", "publicKey", "revocationList", "owner", "publicKeyPem", "revokedAssertions", "endorsement"),
            *("url", "email", "image", "criteria", "description", "uid"),
        )
    ),
    JSON,
    max_size=3,
)


class Large(bytes):
    """A document of which it is noted on which threads it was read."""

    readers: set[int]

    def decode(self, *given: Any, **named: Any) -> str:
        self.readers.add(threading.get_ident())
        return super().decode(*given, **named)


@pytest.mark.parametrize("kind", ["3.0", "token", "hosted", "signed"])
async def test_a_large_document_is_read_apart(world: World, kind: str) -> None:
    """To take apart what is nothing but brackets takes a second for each megabyte or two."""
    jwk = "https://school.example/keys/1"
    world.web.publish(jwk, keys.jwk(world.signer.public_key))
    badge: Any = world.sign(world.badge(credentialStatus=None))
    if kind == "token":
        badge = world.token(world.badge(credentialStatus=None), kid=jwk)
    elif kind == "hosted":
        badges_2.publish_hosted(world)
        badge = badges_2.assertion()
    elif kind == "signed":
        badges_2.publish_signer(world)
        badges_2.publish_revocations(world)
        badge = badges_2.jws(world, badges_2.signed_assertion())
    for url, page in world.web.pages.items():
        assert isinstance(page, Fetched)
        large = Large(page.body + b" " * 100_000)
        large.readers = set()
        world.web.pages[url] = replace(page, body=large)

    assert failed(await world.verify(badge)) == []

    asked = [page.body for url in set(world.web.asked) if isinstance(page := world.web.pages[url], Fetched)]
    assert asked
    for body in asked:
        assert isinstance(body, Large)
        assert body.readers
        assert threading.get_ident() not in body.readers


async def test_keys_by_the_thousand_are_read_apart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may take a third of a millisecond, and one document may list two thousand."""
    readers: set[int] = set()

    def noted(text: str) -> keys.PublicKey:
        readers.add(threading.get_ident())
        return keys.from_multikey(text)

    monkeypatch.setattr(key_lookup, "from_multikey", noted)
    jwk = "https://school.example/keys/1"
    world.web.publish(jwk, keys.jwk(world.signer.public_key))
    method = world.issuer_document()["verificationMethod"][0]
    world.publish_issuer(verificationMethod=[{**method, "id": f"#{number}"} for number in range(1_000)])

    await world.verify(world.token(world.badge(credentialStatus=None), kid=jwk))

    assert readers
    assert threading.get_ident() not in readers


def test_whatever_a_2_0_badge_and_its_hosts_say_there_is_a_report(world: World) -> None:
    with asyncio.Runner() as runner:

        @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(assertion=CHANGES, badge_class=CHANGES, profile=CHANGES, key=CHANGES, revocations=CHANGES)
        def hostile(
            assertion: dict[str, Any],
            badge_class: dict[str, Any],
            profile: dict[str, Any],
            key: dict[str, Any],
            revocations: dict[str, Any],
        ) -> None:
            badges_2.publish_signer(world)
            world.web.publish(badges_2.ASSERTION, badges_2.assertion() | assertion)
            world.web.publish(badges_2.BADGE_CLASS, badges_2.badge_class() | badge_class)
            lists = {"publicKey": badges_2.KEY, "revocationList": badges_2.REVOCATIONS}
            world.web.publish(badges_2.ISSUER, badges_2.profile(**lists) | profile)
            world.web.publish(badges_2.KEY, badges_2.cryptographic_key(world) | key)
            world.web.publish(badges_2.REVOCATIONS, {"type": "RevocationList", "revokedAssertions": []} | revocations)
            for badge in (
                json.dumps(badges_2.assertion() | assertion),
                badges_2.jws(world, badges_2.signed_assertion() | assertion),
            ):
                try:
                    report = runner.run(world.verify(badge, expected_recipient="ada@example.org"))
                except LapelError:
                    continue
                json.dumps(report.to_json())

        hostile()


def test_whatever_is_offered_as_a_newer_version_the_badge_at_hand_is_judged(world: World) -> None:
    at_hand = world.sign(refreshable(world))
    with asyncio.Runner() as runner:

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(changes=CHANGES)
        def hostile(changes: dict[str, Any]) -> None:
            world.web.publish(REFRESH, at_hand | changes)
            report = runner.run(world.verify(at_hand))
            assert report.valid is True

        hostile()
