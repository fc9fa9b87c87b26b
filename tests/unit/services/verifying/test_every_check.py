"""Each check, and each problem, has a badge here that is wrong in that one way, and whose report says just that.

The catalogue is held to the public vocabulary: a new check or problem needs a badge here (and a line in
``docs/verification.md``, which `test_report` sees to).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest

from lapel.credentials import bitstring_status_list
from lapel.domain.fetching import FetchTimeout
from lapel.domain.status_list import StatusPurpose
from lapel.services.verifying import CheckCode, Outcome, Problem, Report
from tests.unit.services.verifying import (
    badges_2,
    test_endorsements,
    test_open_badges_1,
    test_presentations,
)
from tests.unit.services.verifying.data_model import test_schema
from tests.unit.services.verifying.proofs import test_tokens
from tests.unit.services.verifying.standing import test_refresh, test_status
from tests.unit.services.verifying.world import ISSUER, LIST, NOW, OB, VC, World, with_outcome

FAIL, WARN, UNKNOWN, SKIP = Outcome.FAIL, Outcome.WARN, Outcome.UNKNOWN, Outcome.SKIP

NEVER_FAIL: Final = {
    CheckCode.REFRESH: WARN,  # without a newer version the badge at hand counts (OB 3.0, 9.1, step 3)
    CheckCode.TIME_LIMIT: UNKNOWN,  # that there was no time says nothing against a badge
}
"""The worst that the check says where that is no failure."""


@dataclass(frozen=True)
class Case:
    """A badge with one thing wrong, and what its report says of that."""

    code: CheckCode
    problem: Problem
    outcome: Outcome
    verify: Callable[[World], Awaitable[Report]]


CASES: list[Case] = []

_Verify = Callable[[World], Awaitable[Report]]


def case(code: CheckCode, problem: Problem, outcome: Outcome = FAIL) -> Callable[[_Verify], _Verify]:
    def register(verify: _Verify) -> _Verify:
        CASES.append(Case(code, problem, outcome, verify))
        return verify

    return register


def signed(code: CheckCode, problem: Problem, outcome: Outcome = FAIL, **changes: Any) -> None:
    """The case of a signed badge with these members."""
    case(code, problem, outcome)(lambda world: world.verify(world.sign(world.badge(**changes))))


def proved(code: CheckCode, problem: Problem, outcome: Outcome = FAIL, **changes: Any) -> None:
    """The case of a proof that was changed after it was made."""

    async def verify(world: World) -> Report:
        badge = world.sign(world.badge())
        return await world.verify({**badge, "proof": {**badge["proof"], **changes}})

    case(code, problem, outcome)(verify)


def keyed(problem: Problem, outcome: Outcome = FAIL, *, method: dict[str, Any] | None = None, **document: Any) -> None:
    """The case of an issuer that publishes its key otherwise."""

    async def verify(world: World) -> Report:
        changes = dict(document)
        if method is not None:
            [published] = world.issuer_document()["verificationMethod"]
            changes["verificationMethod"] = [published | method]
        world.publish_issuer(**changes)
        return await world.verify(world.sign(world.badge(credentialStatus=None)))

    case(CheckCode.KEY, problem, outcome)(verify)


# --- structure, contexts, meaning, schema ---

signed(CheckCode.STRUCTURE, Problem.MEMBER_MISSING, id=None)
signed(CheckCode.STRUCTURE, Problem.MEMBER_INVALID, validFrom="yesterday")


@case(CheckCode.CONTEXTS, Problem.CONTEXT_MISSING)
async def with_its_contexts_in_the_wrong_order(world: World) -> Report:
    return await world.verify(world.sign(world.badge(**{"@context": [OB, VC]})))


@case(CheckCode.STRUCTURE, Problem.TOO_COMPLEX)
async def with_a_thousand_issuers(world: World) -> Report:
    return await world.verify(world.badge(issuer=[{"id": ISSUER}] * 1_001))


@case(CheckCode.STRUCTURE, Problem.NOT_A_BADGE, WARN)
async def another_credential(world: World) -> Report:
    subject = {"id": "did:example:ada"}
    other = {"@context": [VC], "type": ["VerifiableCredential"], "issuer": ISSUER, "credentialSubject": subject}
    return await world.verify(world.sign(world.badge(**other)))


@case(CheckCode.STRUCTURE, Problem.OLDER_VERSION, UNKNOWN)
async def an_older_badge(world: World) -> Report:
    return await world.verify(test_open_badges_1.VERSION_1_1)


@case(CheckCode.STRUCTURE, Problem.PRESENTATION, UNKNOWN)
async def a_presentation(world: World) -> Report:
    return await world.verify({"@context": [VC], "type": "VerifiablePresentation", "holder": world.did})


@case(CheckCode.CONTEXTS, Problem.CONTEXT_UNKNOWN, WARN)
async def with_an_unknown_context(world: World) -> Report:
    return await world.verify(world.token(world.badge(**{"@context": [VC, OB, "https://example.org/own"]})))


@case(CheckCode.CONTEXTS, Problem.CONTEXT_REDEFINES, WARN)
async def with_a_context_that_renames(world: World) -> Report:
    own = {"name": "https://schema.org/description"}
    return await world.verify(world.token(world.badge(**{"@context": [VC, OB, own]})))


@case(CheckCode.JSON_LD, Problem.JSON_LD_INVALID)
async def with_a_member_without_meaning(world: World) -> Report:
    return await world.verify({**world.sign(world.badge()), "grade": "A"})


@case(CheckCode.JSON_LD, Problem.MEMBER_HIDDEN)
async def with_a_hidden_end(world: World) -> Report:
    badge = world.sign(world.badge())
    badge["https://www.w3.org/2018/credentials#validUntil"] = badge.pop("validUntil")
    return await world.verify(badge)


@case(CheckCode.SCHEMA, Problem.SCHEMA_MISMATCH)
async def against_its_schema(world: World) -> Report:
    badge = test_schema.naming(world, test_schema.KNOWN[0])
    badge["credentialSubject"]["achievement"]["achievementType"] = "Trophy"
    return await world.verify(world.sign(badge))


@case(CheckCode.SCHEMA, Problem.SCHEMA_UNKNOWN, WARN)
async def with_a_schema_of_its_own(world: World) -> Report:
    return await world.verify(world.sign(test_schema.naming(world, "https://school.example/schema")))


# --- proofs and tokens ---

proved(CheckCode.PROOF, Problem.PROOF_INVALID, cryptosuite="no-such-suite")
proved(CheckCode.PROOF, Problem.PROOF_UNSUPPORTED, UNKNOWN, cryptosuite="bbs-2023")


@case(CheckCode.PROOF, Problem.PROOF_MISSING)
async def without_a_proof(world: World) -> Report:
    return await world.verify(world.badge())


@case(CheckCode.PROOF, Problem.PROOF_PURPOSE)
async def proved_for_something_else(world: World) -> Report:
    return await world.verify(world.sign(world.badge(), proofPurpose="authentication"))


@case(CheckCode.PROOF, Problem.PROOF_EXPIRED)
async def with_a_proof_that_has_ended(world: World) -> Report:
    return await world.verify(world.sign(world.badge(), expires="2026-05-31T00:00:00Z"))


@case(CheckCode.PROOF, Problem.PROOF_FROM_FUTURE, WARN)
async def with_a_proof_from_tomorrow(world: World) -> Report:
    return await world.verify(world.sign(world.badge(), created=NOW.replace(day=2)))


@case(CheckCode.CLAIMS, Problem.CLAIM_MISSING)
async def without_a_claim(world: World) -> Report:
    header = {"alg": "EdDSA", "kid": world.method_id}
    return await world.verify(test_tokens.by_hand(world, header, test_tokens.claims_of(world, nbf=None)))


@case(CheckCode.CLAIMS, Problem.CLAIM_MISMATCH)
async def with_a_claim_that_contradicts(world: World) -> Report:
    header, claims = {"alg": "EdDSA", "kid": world.method_id}, test_tokens.claims_of(world, jti="urn:uuid:1")
    return await world.verify(test_tokens.by_hand(world, header, claims))


@case(CheckCode.SIGNATURE, Problem.SIGNATURE_INVALID)
async def changed(world: World) -> Report:
    return await world.verify({**world.sign(world.badge()), "name": "Go"})


@case(CheckCode.SIGNATURE, Problem.NOT_CHECKED, UNKNOWN)
async def signed_with_a_key_that_is_away(world: World) -> Report:
    world.web.fail(ISSUER, FetchTimeout("It took long."))
    return await world.verify(world.sign(world.badge()))


# --- keys and issuer ---

keyed(Problem.KEY_NOT_FOUND, verificationMethod=[], assertionMethod=[])
keyed(Problem.KEY_NOT_AUTHORISED, assertionMethod=[])
keyed(Problem.KEY_CONTROLLER, method={"controller": "https://other.example/"})
keyed(Problem.KEY_INVALID, method={"publicKeyMultibase": "z6Mk"})
keyed(Problem.KEY_UNSUPPORTED, UNKNOWN, method={"publicKeyMultibase": None, "publicKeyBase58": "abc"})
keyed(Problem.KEY_EXPIRED, method={"expires": "2026-05-01T00:00:00Z"})
keyed(Problem.KEY_REVOKED, method={"revoked": "2026-05-01T00:00:00Z"})
keyed(Problem.DOCUMENT_ID, id="https://school.example/v3/issuers/2")


@case(CheckCode.KEY, Problem.KEY_NOT_NAMED)
async def with_a_nameless_key(world: World) -> Report:
    return await world.verify(test_tokens.by_hand(world, {"alg": "EdDSA"}, test_tokens.claims_of(world)))


@case(CheckCode.KEY, Problem.DOCUMENT_INVALID)
async def of_an_issuer_that_publishes_something_else(world: World) -> Report:
    world.web.publish(ISSUER, b"<html>")
    return await world.verify(world.sign(world.badge(credentialStatus=None)))


@case(CheckCode.KEY, Problem.UNREACHABLE, UNKNOWN)
async def of_an_issuer_that_is_away(world: World) -> Report:
    world.web.fail(ISSUER, FetchTimeout("It took long."))
    return await world.verify(world.sign(world.badge(credentialStatus=None)))


@case(CheckCode.ISSUER, Problem.ISSUER_KEY_MISMATCH)
async def signed_by_somebody_else(world: World) -> Report:
    badge = world.badge(credentialStatus=None)
    return await world.verify(world.sign(badge, method_id=f"{world.did}#{world.multikey}"))


@case(CheckCode.ISSUER, Problem.ISSUER_SAME_ORIGIN, UNKNOWN)
async def with_a_key_beside_its_issuer(world: World) -> Report:
    world.web.publish(ISSUER, {"id": ISSUER, "type": "Profile", "name": "The School"})
    world.web.publish(test_tokens.KEY_BESIDE, test_tokens.jwk(world))
    return await world.verify(world.token(test_tokens.badge(world), kid=test_tokens.KEY_BESIDE))


# --- refresh, status, dates, recipient, endorsements, time ---

signed(CheckCode.VALIDITY, Problem.NOT_YET_VALID, validFrom="2026-06-02T00:00:00Z")
signed(CheckCode.VALIDITY, Problem.EXPIRED, validUntil="2026-05-31T00:00:00Z")


@case(CheckCode.REFRESH, Problem.REFRESH_REFUSED, WARN)
async def with_another_badge_as_its_newest_version(world: World) -> Report:
    newer = test_refresh.refreshable(world, id="https://school.example/v3/credentials/8")
    world.web.publish(test_refresh.REFRESH, world.sign(newer))
    return await world.verify(world.sign(test_refresh.refreshable(world)))


@case(CheckCode.STATUS, Problem.REVOKED)
async def revoked(world: World) -> Report:
    world.publish_list(5)
    return await world.verify(world.sign(world.badge()))


@case(CheckCode.STATUS, Problem.SUSPENDED)
async def suspended(world: World) -> Report:
    world.publish_list(5, purpose=StatusPurpose.SUSPENSION)
    return await world.verify(world.sign(world.badge(credentialStatus=test_status.entry(statusPurpose="suspension"))))


@case(CheckCode.STATUS, Problem.STATUS_MESSAGE, WARN)
async def with_a_message(world: World) -> Report:
    encoded = bitstring_status_list.encode(bitstring_status_list.from_indices([5]))
    world.publish_list(changes=test_status.subject(statusPurpose="message", encodedList=encoded))
    return await world.verify(world.sign(world.badge(credentialStatus=test_status.entry(statusPurpose="message"))))


@case(CheckCode.STATUS, Problem.STATUS_UNSUPPORTED, UNKNOWN)
async def with_a_status_of_another_kind(world: World) -> Report:
    badge = world.badge(credentialStatus={"id": LIST, "type": "1EdTechCredentialRefresh"})
    badge["@context"].append(test_refresh.EXTENSIONS)
    return await world.verify(world.sign(badge))


@case(CheckCode.STATUS, Problem.STATUS_LIST_INVALID)
async def with_a_list_that_is_none(world: World) -> Report:
    world.web.publish(LIST, b"[]")
    return await world.verify(world.sign(world.badge()))


signed(CheckCode.STATUS, Problem.STATUS_LIST_MISMATCH, credentialStatus=test_status.entry(statusPurpose="suspension"))
case(CheckCode.STATUS, Problem.STATUS_LIST_SHORT)(test_status.with_a_short_list)
case(CheckCode.STATUS, Problem.STATUS_OUTSIDE_LIST)(test_status.with_an_entry_beyond_its_list)


@case(CheckCode.STATUS, Problem.STATUS_LIST_UNTRUSTED)
async def with_a_forged_list(world: World) -> Report:
    world.publish_list(signer=world.new_signer())
    return await world.verify(world.sign(world.badge()))


@case(CheckCode.RECIPIENT, Problem.RECIPIENT_MISMATCH)
async def of_somebody_else(world: World) -> Report:
    return await world.verify(world.sign(world.badge()), expected_recipient="eve@example.org")


@case(CheckCode.ENDORSEMENTS, Problem.ENDORSEMENT_INVALID)
async def with_a_forged_endorsement(world: World) -> Report:
    guild = test_endorsements.Guild(world)
    return await test_endorsements.verify_with(guild, {**guild.sign(), "name": "The best school"})


@case(CheckCode.ENDORSEMENTS, Problem.ENDORSEMENT_LAPSED, WARN)
async def with_an_endorsement_that_has_ended(world: World) -> Report:
    guild = test_endorsements.Guild(world)
    return await test_endorsements.verify_with(guild, guild.sign(validUntil="2026-05-31T00:00:00Z"))


@case(CheckCode.ENDORSEMENTS, Problem.ENDORSEMENT_ELSEWHERE, WARN)
async def with_an_endorsement_of_something_else(world: World) -> Report:
    guild = test_endorsements.Guild(world)
    subject = {"id": "https://other.example/", "type": ["EndorsementSubject"]}
    return await test_endorsements.verify_with(guild, guild.sign(credentialSubject=subject))


@case(CheckCode.TIME_LIMIT, Problem.TIMED_OUT, UNKNOWN)
async def of_an_issuer_that_never_answers(world: World) -> Report:
    class Never:
        async def fetch(self, url: str, *, accept: str = "", max_bytes: int | None = None) -> Any:
            await asyncio.Event().wait()

    return await world.new_verifying(fetcher=Never(), time_limit=0.1).verify(world.token(world.badge()))


# --- Open Badges 2.0 ---


@case(CheckCode.HOSTED, Problem.HOSTED_MISSING)
async def that_its_host_does_not_know(world: World) -> Report:
    badges_2.publish_hosted(world)
    del world.web.pages[badges_2.ASSERTION]
    return await world.verify(badges_2.assertion())


@case(CheckCode.HOSTED, Problem.HOSTED_DIFFERS)
async def that_its_host_knows_otherwise(world: World) -> Report:
    badges_2.publish_hosted(world)
    return await world.verify(badges_2.assertion(badge=f"{badges_2.BADGE_CLASS}0"))


@case(CheckCode.ISSUER, Problem.HOSTED_ELSEWHERE)
async def hosted_by_somebody_else(world: World) -> Report:
    badges_2.publish_hosted(world)
    elsewhere = badges_2.assertion(id="https://mallory.example/assertions/1")
    world.web.publish(elsewhere["id"], elsewhere)
    return await world.verify(elsewhere)


@case(CheckCode.BADGE_CLASS, Problem.MEMBER_MISSING)
async def of_a_badge_class_without_criteria(world: World) -> Report:
    badges_2.publish_hosted(world)
    world.web.publish(badges_2.BADGE_CLASS, badges_2.badge_class(criteria=None))
    return await world.verify(badges_2.assertion())


for code_, problem_, verify_ in test_presentations.CASES:
    case(code_, problem_)(verify_)


# --- the catalogue, held to the vocabulary ---


@pytest.mark.parametrize("given", CASES, ids=lambda given: f"{given.code}-{given.problem}")
async def test_the_report_says_that_one_thing_and_nothing_else(world: World, given: Case) -> None:
    report = await given.verify(world)

    worse = {WARN: (FAIL, UNKNOWN), UNKNOWN: (FAIL,), SKIP: (FAIL, UNKNOWN, WARN), FAIL: ()}[given.outcome]
    assert [found for outcome in worse for found in with_outcome(report, outcome)] == []
    # What depends on it may be left open, and says so.
    found = [(code, problem) for code, problem in with_outcome(report, given.outcome) if problem != "not_checked"]
    if given.problem is Problem.NOT_CHECKED:
        found = with_outcome(report, given.outcome)
        assert (given.code.value, given.problem.value) in found
    else:
        assert found == [(given.code.value, given.problem.value)]


def test_every_check_has_a_badge_that_makes_it_fail() -> None:
    worst = {(given.code, given.outcome) for given in CASES}

    assert [code for code in CheckCode if (code, NEVER_FAIL.get(code, FAIL)) not in worst] == []


def test_every_problem_has_a_badge_that_has_it() -> None:
    assert [problem for problem in Problem if problem not in {given.problem for given in CASES}] == []
