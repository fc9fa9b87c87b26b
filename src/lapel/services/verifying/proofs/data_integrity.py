"""Embedded proofs (Data Integrity 1.0, 4.4; OB 3.0, 8.3) of the cryptosuites in `lapel.credentials`.

Of several proofs one good one is enough (OB 3.0, 8.1) if it is among the first `MOST_TRIED`: each may cost a fetch. One
that builds on earlier ones (``previousProof``) is good only if these hold, too, whosever they are.
The contexts are not part of what is signed, so the document must also mean what it seems to say; `linked_data.meaning`
and `linked_data.context_rules` see to that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lapel.credentials import data_integrity, ecdsa_sd_2023, ed25519_signature_2020, eddsa_jcs_2022, eddsa_rdfc_2022
from lapel.credentials.data_integrity import Proof, ProofInvalid, ProofMalformed
from lapel.credentials.jcs import NotCanonicalisable
from lapel.domain.json import JsonObject, JsonValue
from lapel.services.verifying.apart import apart, in_thread
from lapel.services.verifying.documents import Documents
from lapel.services.verifying.linked_data.meaning import LinkedData, NotCanonical
from lapel.services.verifying.members import as_list, id_of
from lapel.services.verifying.proofs.issuer_binding import bind_issuer, signature_check
from lapel.services.verifying.proofs.key_lookup import ASSERTION, AUTHENTICATION, FoundKey, find_key
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, made
from lapel.services.verifying.standing.dates import CLOCK_TOLERANCE

__all__ = ["MOST_TRIED", "ExpectedProof", "ProofResult", "check_meant", "check_proofs"]

_proof_check: Final = partial(made, CheckCode.PROOF)

MOST_TRIED: Final = 4
"""How many of a document's proofs are looked at, in the order of the document."""

_TO_DO: Final = {ASSERTION: "issue a credential", AUTHENTICATION: "present credentials"}
_MEMBERS: Final = frozenset(
    {"@context", "id", "type", "cryptosuite", "created", "expires", "verificationMethod", "proofPurpose"}
    | {"proofValue", "previousProof", "domain", "challenge", "nonce"}
)
# What exists but is not understood here: that a proof is of such a kind says nothing against it.
_OTHER_SUITES: Final = frozenset(
    {"ecdsa-rdfc-2019", "ecdsa-jcs-2019", "bbs-2023", "eddsa-2022", "json-eddsa-2022", "ecdsa-2019"}
)
_OTHER_TYPES: Final = frozenset(
    {"Ed25519Signature2018", "RsaSignature2018", "JsonWebSignature2020", "EcdsaSecp256k1Signature2019"}
    | {"EcdsaSecp256r1Signature2019", "BbsBlsSignature2020", "BbsBlsSignatureProof2020"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedProof:
    """What a good proof says beside its signature.

    Attributes:
        bind: the check that the key is its owner's.
        challenge, domain: what it must name; None for anything.
    """

    bind: Callable[[FoundKey], Check]
    purpose: str = ASSERTION
    challenge: str | None = None
    domain: str | None = None

    @classmethod
    def of_issuer(cls, document: JsonObject) -> ExpectedProof:
        """That of the credential's issuer."""
        return cls(bind=partial(bind_issuer, id_of(document.get("issuer"))))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofResult:
    """What one proof came to.

    Attributes:
        format: the cryptosuite, or the type of a proof that has none.
        checks: ``proof``, ``key``, ``issuer`` and ``signature``, as far as they could be made.
    """

    format: str | None
    checks: tuple[Check, ...]

    @property
    def good(self) -> bool:
        return all(check.outcome in (Outcome.PASS, Outcome.WARN) for check in self.checks)

    @property
    def rank(self) -> int:
        """How much a result that is not good says about the document; less is more."""
        problems = {check.problem for check in self.checks}
        if Problem.PROOF_UNSUPPORTED in problems:
            return 2
        if all(check.outcome is not Outcome.FAIL for check in self.checks):
            return 0
        return 3 if Problem.ISSUER_KEY_MISMATCH in problems else 1


async def check_proofs(
    document: JsonObject,
    *,
    bare: JsonObject,
    linked_data: LinkedData,
    documents: Documents,
    now: datetime,
    expected: ExpectedProof | None = None,
) -> ProofResult:
    """The result of the proof that counts: the first good one of the first `MOST_TRIED`, else the one that says most.

    Where there are more of them and none of those is good, the answer is unknown: the others were not looked at.

    An open question goes before a failure, the issuer's proof before somebody else's.

    Args:
        bare: the document without its proofs, the object for which `linked_data` keeps the canonical form.
        expected: None for the proof of a credential's issuer.
    """
    expected = expected or ExpectedProof.of_issuer(document)
    try:
        proofs = data_integrity.proofs_of(document)
    except ProofMalformed as error:
        return _refused(None, Problem.PROOF_INVALID, "The proof cannot be read.", detail=error.detail)
    if not proofs:
        return _refused(None, Problem.PROOF_MISSING, "It carries no proof, so anybody could have written it.")
    checking = _Checking(document, bare, linked_data, documents, now, expected)
    results: list[ProofResult] = []
    for proof in proofs[:MOST_TRIED]:
        result = await checking.proof(proof, bind=expected.bind)
        if result.good:
            return result
        results.append(result)
    if len(proofs) > MOST_TRIED:
        # One of the others may be good, so that none of these is cannot be the last word.
        results.append(_not_tried(len(proofs)))
        return min(results, key=lambda result: (any(c.outcome is Outcome.FAIL for c in result.checks), result.rank))
    return min(results, key=lambda result: result.rank)


def _not_tried(count: int) -> ProofResult:
    sentence = (
        f"The credential carries {count} proofs; none of the first {MOST_TRIED} holds, the others were not tried."
    )
    check = _proof_check(Outcome.UNKNOWN, sentence, Problem.TOO_COMPLEX, None)
    return ProofResult(format=None, checks=(check, signature_check(Outcome.UNKNOWN)))


@dataclass(frozen=True, slots=True)
class _Checking:
    """The proofs of one document.

    Attributes:
        links: what is wrong with each of the proofs that others build on, by its identity, as far as it was looked at.
    """

    document: JsonObject
    bare: JsonObject
    linked_data: LinkedData
    documents: Documents
    now: datetime
    expected: ExpectedProof
    links: dict[int, Check | None] = field(default_factory=dict)

    async def proof(self, proof: JsonObject, *, bind: Callable[[FoundKey], Check] | None) -> ProofResult:
        """What one proof comes to; without `bind`, whosever it is."""
        kind, suite = proof.get("type"), proof.get("cryptosuite")
        if kind == eddsa_rdfc_2022.PROOF_TYPE and suite == eddsa_rdfc_2022.CRYPTOSUITE:
            name = eddsa_rdfc_2022.CRYPTOSUITE
            read, options_of = eddsa_rdfc_2022.read_proof, data_integrity.options_of
        elif kind == eddsa_rdfc_2022.PROOF_TYPE and suite == ecdsa_sd_2023.CRYPTOSUITE:
            name = ecdsa_sd_2023.CRYPTOSUITE
            read, options_of = data_integrity.read_members, data_integrity.options_of
        elif kind == eddsa_rdfc_2022.PROOF_TYPE and suite == eddsa_jcs_2022.CRYPTOSUITE:
            name = eddsa_jcs_2022.CRYPTOSUITE
            read, options_of = data_integrity.read_members, eddsa_jcs_2022.options_of
        elif kind == ed25519_signature_2020.PROOF_TYPE:
            name = ed25519_signature_2020.PROOF_TYPE
            read, options_of = ed25519_signature_2020.read_proof, ed25519_signature_2020.options_of
        else:
            return _not_understood(kind, suite)
        unexpected = proof.keys() - _MEMBERS
        if unexpected:
            sentence = "The proof has a member that no proof of its kind has."
            return _refused(name, Problem.PROOF_INVALID, sentence, detail=", ".join(sorted(unexpected)[:5]))
        try:
            parsed = read(proof)
            previous = data_integrity.previous_proofs(self.document, parsed)
            secured = data_integrity.unsecured(self.document, previous=previous) if previous else self.bare
        except ProofMalformed as error:
            return _refused(name, Problem.PROOF_INVALID, "The proof cannot be read.", detail=error.detail)
        found = await find_key(
            parsed.verification_method,
            signed_at=parsed.created or self.now,
            documents=self.documents,
            purpose=self.expected.purpose,
        )
        options = options_of(proof, self.document)
        signature = await self._signature(name, secured, options, parsed, found)
        statement = check_meant(proof, self.expected) or _check_statement(name, parsed, self.now)
        if statement.outcome is not Outcome.FAIL:
            statement = await self._broken_link(previous) or statement
        bound = () if bind is None else (bind(found),)
        return ProofResult(format=name, checks=(statement, found.check, *bound, signature))

    async def _signature(
        self, name: str, secured: JsonObject, options: JsonObject, proof: Proof, found: FoundKey
    ) -> Check:
        try:
            if name == eddsa_jcs_2022.CRYPTOSUITE:
                canonical_options, canonical = await apart(secured, eddsa_jcs_2022.canonical, options, secured)
            else:
                # Where it has none, none is sought of what chained proofs make of it, each of which may take as long.
                await self.linked_data.canonical(self.bare)
                canonical = await self.linked_data.canonical(secured)
                canonical_options = await self.linked_data.canonical(options)
        except NotCanonical as error:
            return signature_check(Outcome.UNKNOWN, detail=error.check.detail)
        except (ProofInvalid, NotCanonicalisable) as error:
            return signature_check(Outcome.FAIL, detail=error.detail)
        if found.key is None:
            return signature_check(Outcome.UNKNOWN, detail="The key is not known.")
        try:
            if name == ecdsa_sd_2023.CRYPTOSUITE:
                if not ecdsa_sd_2023.is_p256(found.key):
                    return signature_check(Outcome.FAIL, detail="The key is not a P-256 key.")
                # Each statement has a signature of its own.
                await in_thread(ecdsa_sd_2023.verify, canonical_options, canonical, proof.proof_value, found.key)
            elif not isinstance(found.key, Ed25519PublicKey):
                return signature_check(Outcome.FAIL, detail="The key is not an Ed25519 key.")
            else:
                data = eddsa_rdfc_2022.hash_data(canonical_options, canonical)
                eddsa_rdfc_2022.verify(data, proof.proof_value, found.key)
        except (ProofInvalid, ProofMalformed) as error:
            return signature_check(Outcome.FAIL, detail=error.detail)
        return signature_check(Outcome.PASS)

    async def _broken_link(self, previous: Sequence[JsonObject]) -> Check | None:
        """The check ``proof`` where one that this proof builds on does not hold (Data Integrity 1.0, 2.1)."""
        for proof in previous:
            if id(proof) not in self.links:
                if len(self.links) == MOST_TRIED:
                    sentence = "The proof builds on more earlier ones than are looked at."
                    return _proof_check(Outcome.UNKNOWN, sentence, Problem.TOO_COMPLEX)
                self.links[id(proof)] = _proof_check(Outcome.FAIL, "The proof builds on itself.", Problem.PROOF_INVALID)
                self.links[id(proof)] = _as_link(await self.proof(proof, bind=None), proof)
            if (broken := self.links[id(proof)]) is not None:
                return broken
        return None


def _as_link(result: ProofResult, proof: JsonObject) -> Check | None:
    """What is wrong with a proof, for the one that builds on it."""
    bad = next((check for check in result.checks if check.outcome is Outcome.FAIL), None)
    worst = bad or next((check for check in result.checks if check.outcome is Outcome.UNKNOWN), None)
    if worst is None:
        return None
    problem = Problem.NOT_CHECKED if bad is None else Problem.PROOF_INVALID
    sentence = f"The proof builds on an earlier one, of which this is to be said: {worst.sentence}"
    return _proof_check(worst.outcome, sentence, problem, str(proof.get("id"))[:200])


def check_meant(proof: JsonObject, expected: ExpectedProof) -> Check | None:
    """Why the proof was not meant for this; None if it was (Data Integrity 1.0, 4.4 and 4.5)."""
    if (purpose := proof.get("proofPurpose")) != expected.purpose:
        sentence = f"The proof was made for another purpose than to {_TO_DO[expected.purpose]}."
        return _proof_check(Outcome.FAIL, sentence, Problem.PROOF_PURPOSE, str(purpose)[:80])
    if expected.challenge is not None and proof.get("challenge") != expected.challenge:
        sentence = "The proof answers another challenge."
        return _proof_check(Outcome.FAIL, sentence, Problem.CHALLENGE_MISMATCH, str(proof.get("challenge"))[:80])
    if expected.domain is not None and expected.domain not in as_list(proof.get("domain")):
        sentence = "The proof was made for another domain."
        return _proof_check(Outcome.FAIL, sentence, Problem.DOMAIN_MISMATCH, str(proof.get("domain"))[:80])
    return None


def _check_statement(name: str, proof: Proof, now: datetime) -> Check:
    """What the proof says of itself: when it was made, and how long it holds."""
    if proof.expires is not None and proof.expires <= now:
        return _proof_check(Outcome.FAIL, "The proof has expired.", Problem.PROOF_EXPIRED, str(proof.expires))
    if proof.created is not None and proof.created > now + CLOCK_TOLERANCE:
        sentence = "The proof says that it was made in the future."
        return _proof_check(Outcome.WARN, sentence, Problem.PROOF_FROM_FUTURE, str(proof.created))
    sentence = "It carries a proof that can be checked."
    if name == ecdsa_sd_2023.CRYPTOSUITE:
        sentence = "It carries a proof of what is shown; its holder may have left out the rest, such as when it ends."
    return _proof_check(Outcome.PASS, sentence, None, None)


def _not_understood(kind: JsonValue, suite: JsonValue) -> ProofResult:
    named = suite if kind == eddsa_rdfc_2022.PROOF_TYPE else kind
    known = _OTHER_SUITES if kind == eddsa_rdfc_2022.PROOF_TYPE else _OTHER_TYPES
    name = named if isinstance(named, str) else None
    if name in known:
        check = _proof_check(
            Outcome.UNKNOWN, "The proof is of a kind that is not understood here.", Problem.PROOF_UNSUPPORTED, name
        )
        return ProofResult(format=name, checks=(check, signature_check(Outcome.UNKNOWN)))
    return _refused(name, Problem.PROOF_INVALID, "The proof is of no known kind.", detail=name)


def _refused(name: str | None, problem: Problem, sentence: str, *, detail: str | None = None) -> ProofResult:
    refused = _proof_check(Outcome.FAIL, sentence, problem, detail)
    return ProofResult(format=name, checks=(refused, signature_check(Outcome.UNKNOWN)))
