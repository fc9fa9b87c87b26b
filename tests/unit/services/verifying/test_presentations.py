"""Presentations: whose they are, for whom and in answer to what, and what of them is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lapel.credentials import eddsa_rdfc_2022
from lapel.domain.fetching import Fetched
from lapel.services.verifying import CheckCode, Outcome, Problem, Report
from lapel.services.verifying.presentations import ExpectedPresentation, PresentationReport
from lapel.services.verifying.reading import Document
from tests.support.presenting import CONTEXT, Holder
from tests.unit.services.verifying.world import LIST, Web, World

ADA, BOB = Holder(), Holder()


async def presented(
    world: World, presentation: dict[str, Any], options: Mapping[str, Any] | None = None, **expected: Any
) -> PresentationReport:
    held = [Document(credential) for credential in presentation.get("verifiableCredential", [])]
    verifying = world.new_verifying(**{"max_fetches": 2, **(options or {})})
    return await verifying.verify_presentation(presentation, held, ExpectedPresentation(**expected))


async def answering_another_challenge(world: World) -> Report:
    asked = await presented(world, ADA.presentation(proof={"challenge": "yesterday's"}), challenge="today's")
    return asked.presentation


async def made_for_another_domain(world: World) -> Report:
    asked = await presented(world, ADA.presentation(proof={"domain": "a.example"}), domain="b.example")
    return asked.presentation


async def made_by_another_than_its_holder(world: World) -> Report:
    return (await presented(world, BOB.presentation(holder=ADA.id))).presentation


async def of_what_nobody_says_of_himself(world: World) -> Report:
    (report,) = (await presented(world, ADA.presentation(ADA.draft(), holder=None))).credentials
    return report


CASES: tuple[tuple[CheckCode, Problem, Callable[[World], Awaitable[Report]]], ...] = (
    (CheckCode.PROOF, Problem.CHALLENGE_MISMATCH, answering_another_challenge),
    (CheckCode.PROOF, Problem.DOMAIN_MISMATCH, made_for_another_domain),
    (CheckCode.HOLDER, Problem.HOLDER_KEY_MISMATCH, made_by_another_than_its_holder),
    (CheckCode.HOLDER, Problem.HOLDER_MISSING, of_what_nobody_says_of_himself),
)
"""For the catalogue in `test_every_check`."""


async def test_all_that_is_in_it_shares_one_number_of_fetches(world: World) -> None:
    held = [
        BOB.signed(BOB.draft(issuer=f"https://{name}.example/1"), purpose="assertionMethod", verificationMethod=method)
        for name in "abcd"
        for method in [f"https://{name}.example/1#key"]
    ]
    report = await presented(world, ADA.presentation(*held))

    assert report.presentation.valid is True
    assert not any(each.valid for each in report.credentials)
    assert len(world.web.asked) == 2


async def test_a_status_list_that_all_in_it_name_is_verified_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine, verified = eddsa_rdfc_2022.verify, []

    def noted(data: bytes, proof_value: str, key: Ed25519PublicKey) -> None:
        verified.append(data)
        genuine(data, proof_value, key)

    monkeypatch.setattr(eddsa_rdfc_2022, "verify", noted)
    world.publish_list(6)
    entries = [
        {**world.badge()["credentialStatus"], "id": f"{LIST}#{index}", "statusListIndex": index} for index in "567"
    ]
    held = [world.sign(world.badge(credentialStatus=entry)) for entry in entries]
    report = await presented(world, ADA.presentation(*held))

    assert [each.valid for each in report.credentials] == [True, False, True]
    assert len(verified) == len({*verified}) == 1 + len(held) + 1


async def test_of_a_revoked_badge_whose_list_comes_too_late_nothing_is_said_but_that(world: World) -> None:
    """Whoever presents it may have used up the time with another one, on a server that he has made slow."""

    class SlowList(Web):
        async def fetch(self, url: str, **options: Any) -> Fetched:
            if url == LIST:
                await asyncio.Event().wait()
            return await super().fetch(url, **options)

    slow = SlowList()
    slow.pages = world.web.pages
    world.publish_list(5)
    held = [BOB.credential(), world.sign(world.badge()), BOB.credential()]
    report = await presented(world, ADA.presentation(*held), options={"fetcher": slow, "time_limit": 0.5})

    assert [each.valid for each in (report.presentation, *report.credentials)] == [None, True, None, None]
    assert all(each.problems() == [Problem.TIMED_OUT] for each in report.credentials[1:])


async def test_others_get_their_turn_between_one_credential_in_it_and_the_next(world: World) -> None:
    held = [ADA.signed(ADA.draft(), purpose="assertionMethod")] * 12
    verification = asyncio.create_task(presented(world, ADA.presentation(*held)))

    turns = 0
    while not verification.done():
        await asyncio.sleep(0)
        turns += 1

    assert all(each.valid for each in verification.result().credentials)
    assert turns >= len(held)


async def test_a_key_that_is_only_for_assertions_makes_no_presentation(world: World) -> None:
    address = "https://holder.example/1"
    method = {
        "id": f"{address}#key",
        "type": "Multikey",
        "controller": address,
        "publicKeyMultibase": ADA.id.removeprefix("did:key:"),
    }
    presentation = ADA.presentation(holder=address, proof={"verificationMethod": f"{address}#key"})
    for relation, valid in (("assertionMethod", False), ("authentication", True)):
        world.web.publish(address, {"id": address, "verificationMethod": [method], relation: [method["id"]]})
        assert (await presented(world, presentation)).presentation.valid is valid


async def test_none_hides_what_it_holds_under_another_name(world: World) -> None:
    """The proof covers RDF, not names: whoever passes a presentation on could call a credential in it otherwise."""
    hidden = {"hidden": {"@id": "https://www.w3.org/2018/credentials#verifiableCredential", "@type": "@id"}}
    members: dict[str, Any] = {"@context": [CONTEXT, hidden], "hidden": "urn:uuid:1"}
    presentation = ADA.presentation(**members)
    report = (await presented(world, presentation)).presentation

    assert report.problems()[0] is Problem.CONTEXT_REDEFINES


async def test_one_without_a_proof_says_that_none_was_looked_at(world: World) -> None:
    report = (await presented(world, ADA.presentation(), secured=False)).presentation

    assert [(check.code, check.outcome) for check in report.checks] == [(CheckCode.PROOF, Outcome.SKIP)]
