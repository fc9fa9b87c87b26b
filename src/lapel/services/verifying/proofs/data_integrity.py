"""Embedded proofs (Data Integrity 1.0, 4.4; OB 3.0, 8.3) of the cryptosuites in `lapel.credentials`.

One good proof of several is enough (OB 3.0, 8.1), if it is among the first `MAX_TRIED`, because each may need a fetch.
A proof that builds on earlier ones (``previousProof``) is good only if these are good, whoever made them. Contexts are
not signed, so `linked_data.canonical` and `linked_data.context_rules` check that the document means what it shows.
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
from lapel.domain.json_members import as_list, id_of
from lapel.services.verifying.documents import Documents
from lapel.services.verifying.linked_data.canonical import LinkedData, NotCanonical
from lapel.services.verifying.offloading import in_thread, offload_if_large
from lapel.services.verifying.proofs.issuer_binding import bind_issuer, signature_check, signature_refused
from lapel.services.verifying.proofs.key_lookup import ASSERTION, AUTHENTICATION, FoundKey, find_key
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, new_check
from lapel.services.verifying.standing.dates import CLOCK_TOLERANCE

__all__ = ["MAX_TRIED", "ExpectedProof", "ProofResult", "check_proofs", "check_purpose"]

_proof_check: Final = partial(new_check, CheckCode.PROOF)

MAX_TRIED: Final = 4
"""How many of a document's proofs are tried, in the order of the document."""

_PURPOSES: Final = {ASSERTION: "issue a credential", AUTHENTICATION: "present credentials"}
_MEMBERS: Final = frozenset(
    {"@context", "id", "type", "cryptosuite", "created", "expires", "verificationMethod", "proofPurpose"}
    | {"proofValue", "previousProof", "domain", "challenge", "nonce"}
)
# Cryptosuites and types that exist but are not supported: with them the outcome is unknown, not a failure.
_OTHER_SUITES: Final = frozenset(
    {"ecdsa-rdfc-2019", "ecdsa-jcs-2019", "bbs-2023", "eddsa-2022", "json-eddsa-2022", "ecdsa-2019"}
)
_OTHER_TYPES: Final = frozenset(
    {"Ed25519Signature2018", "RsaSignature2018", "JsonWebSignature2020", "EcdsaSecp256k1Signature2019"}
    | {"EcdsaSecp256r1Signature2019", "BbsBlsSignature2020", "BbsBlsSignatureProof2020"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedProof:
    """What a proof must have besides a valid signature.

    Attributes:
        bind: returns the check whether the key belongs to the right owner.
        challenge, domain: what the proof must name, and nothing else; None for any.
    """

    bind: Callable[[FoundKey], Check]
    purpose: str = ASSERTION
    challenge: str | None = None
    domain: str | None = None

    @classmethod
    def of_issuer(cls, document: JsonObject) -> ExpectedProof:
        """Return what the proof of a credential's issuer must have."""
        return cls(bind=partial(bind_issuer, id_of(document.get("issuer"))))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofResult:
    """The result of one proof.

    Attributes:
        format: the cryptosuite, or the type of a proof without one.
        checks: ``proof``, ``key``, ``issuer`` and ``signature``, as far as they could be made.
        proof: the embedded proof; None for a token, and for a proof that cannot be read.
    """

    format: str | None
    checks: tuple[Check, ...]
    proof: JsonObject | None = None

    @property
    def good(self) -> bool:
        return all(check.outcome in (Outcome.PASS, Outcome.WARN) for check in self.checks)

    @property
    def rank(self) -> int:
        """The priority of a result that is not good: the result with the lowest rank is reported."""
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
    """Return the result of the first good proof among the first `MAX_TRIED`, or else the most relevant other result.

    An unknown outcome goes before a failure, and the issuer's proof before another one's. If no proof is good and there
    are more than `MAX_TRIED`, the outcome is unknown, because the others were not tried.

    Args:
        bare: the document without its proofs, the same object for which `linked_data` has cached the canonical form.
        expected: None for the proof of a credential's issuer.
    """
    expected = expected or ExpectedProof.of_issuer(document)
    try:
        proofs = data_integrity.proofs_of(document)
    except ProofMalformed as error:
        return _failed(None, Problem.PROOF_INVALID, "The proof cannot be read.", detail=error.detail)
    if not proofs:
        return _failed(None, Problem.PROOF_MISSING, "It carries no proof, so anybody could have written it.")
    verification = _Verification(document, bare, linked_data, documents, now, expected)
    results: list[ProofResult] = []
    for proof in proofs[:MAX_TRIED]:
        result = await verification.proof(proof, bind=expected.bind)
        if result.good:
            return result
        results.append(result)
    if len(proofs) > MAX_TRIED:
        # One of the others may be good, so the outcome must not be a failure.
        results.append(_not_tried(len(proofs)))
        return min(results, key=lambda result: (any(c.outcome is Outcome.FAIL for c in result.checks), result.rank))
    return min(results, key=lambda result: result.rank)


def _not_tried(count: int) -> ProofResult:
    sentence = f"The credential carries {count} proofs; none of the first {MAX_TRIED} holds, the others were not tried."
    check = _proof_check(Outcome.UNKNOWN, sentence, Problem.TOO_COMPLEX, None)
    return ProofResult(format=None, checks=(check, signature_check(Outcome.UNKNOWN)))


@dataclass(frozen=True, slots=True)
class _Verification:
    """Verifies the proofs of one document.

    Attributes:
        previous_checks: by the identity of each proof that others build on, the check that says why it is not good, or
            None if it is good.
    """

    document: JsonObject
    bare: JsonObject
    linked_data: LinkedData
    documents: Documents
    now: datetime
    expected: ExpectedProof
    previous_checks: dict[int, Check | None] = field(default_factory=dict)

    async def proof(self, proof: JsonObject, *, bind: Callable[[FoundKey], Check] | None) -> ProofResult:
        """Return the result of one proof; without `bind`, of any owner."""
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
            return _unsupported(kind, suite)
        unexpected = proof.keys() - _MEMBERS
        if unexpected:
            sentence = "The proof has a member that no proof of its kind has."
            return _failed(name, Problem.PROOF_INVALID, sentence, detail=", ".join(sorted(unexpected)[:5]))
        try:
            parsed = read(proof)
            previous = data_integrity.previous_proofs(self.document, parsed)
            secured = data_integrity.unsecured(self.document, previous=previous) if previous else self.bare
        except ProofMalformed as error:
            return _failed(name, Problem.PROOF_INVALID, "The proof cannot be read.", detail=error.detail)
        found = await find_key(
            parsed.verification_method,
            signed_at=parsed.created or self.now,
            documents=self.documents,
            purpose=self.expected.purpose,
        )
        options = options_of(proof, self.document)
        signature = await self._signature(name, secured, options, parsed, found)
        statement = check_purpose(proof, self.expected) or _check_statement(name, parsed, self.now)
        if statement.outcome is not Outcome.FAIL:
            statement = await self._check_previous(previous) or statement
        binding = () if bind is None else (bind(found),)
        return ProofResult(format=name, checks=(statement, found.check, *binding, signature), proof=proof)

    async def _signature(
        self, name: str, secured: JsonObject, options: JsonObject, proof: Proof, found: FoundKey
    ) -> Check:
        try:
            if name == eddsa_jcs_2022.CRYPTOSUITE:
                canonical_options, canonical = await offload_if_large(
                    secured, eddsa_jcs_2022.canonical, options, secured
                )
            else:
                # First without its proofs: if that takes too long, so would each of the chained proofs' documents.
                await self.linked_data.canonical(self.bare)
                canonical = await self.linked_data.canonical(secured)
                canonical_options = await self._canonical_options(options)
        except NotCanonical as error:
            return signature_check(Outcome.UNKNOWN, detail=error.check.detail)
        except (ProofInvalid, NotCanonicalisable) as error:
            return signature_refused(error)
        if found.key is None:
            return signature_check(Outcome.UNKNOWN, detail="The key is not known.")
        try:
            if name == ecdsa_sd_2023.CRYPTOSUITE:
                if not ecdsa_sd_2023.is_p256(found.key):
                    return signature_check(Outcome.FAIL, detail="The key is not a P-256 key.")
                # In the thread, because each statement has its own signature.
                await in_thread(ecdsa_sd_2023.verify, canonical_options, canonical, proof.proof_value, found.key)
            elif not isinstance(found.key, Ed25519PublicKey):
                return signature_check(Outcome.FAIL, detail="The key is not an Ed25519 key.")
            else:
                data = eddsa_rdfc_2022.hash_data(canonical_options, canonical)
                eddsa_rdfc_2022.verify(data, proof.proof_value, found.key)
        except (ProofInvalid, ProofMalformed) as error:
            return signature_refused(error)
        return signature_check(Outcome.PASS)

    async def _canonical_options(self, options: JsonObject) -> str:
        """Return the canonical form of a proof without its value.

        If the document's contexts do not define the proof, Data Integrity's own is added (Data Integrity 1.0, 2.4.1).

        Raises:
            ProofInvalid: it can have none, such as with a member that is not defined.
            NotCanonical: whether it has one could not be told.
        """
        try:
            return await self.linked_data.canonical(options)
        except NotCanonical as error:
            if error.check.outcome is not Outcome.FAIL:
                raise
            contexts = as_list(options["@context"])
            if error.check.problem is Problem.JSON_LD_INVALID and data_integrity.CONTEXT not in contexts:
                return await self._canonical_options({**options, "@context": [*contexts, data_integrity.CONTEXT]})
            raise ProofInvalid(f"the proof is not valid JSON-LD: {error.check.detail}") from error

    async def _check_previous(self, previous: Sequence[JsonObject]) -> Check | None:
        """Return a check ``proof`` if a proof that this one builds on is not good (Data Integrity 1.0, 2.1)."""
        for proof in previous:
            if id(proof) not in self.previous_checks:
                if len(self.previous_checks) == MAX_TRIED:
                    sentence = "The proof builds on more earlier ones than are looked at."
                    return _proof_check(Outcome.UNKNOWN, sentence, Problem.TOO_COMPLEX)
                # Stored while the proof is verified, so that a cycle finds it.
                cycle = _proof_check(Outcome.FAIL, "The proof builds on itself.", Problem.PROOF_INVALID)
                self.previous_checks[id(proof)] = cycle
                self.previous_checks[id(proof)] = _previous_check(await self.proof(proof, bind=None), proof)
            if (check := self.previous_checks[id(proof)]) is not None:
                return check
        return None


def _previous_check(result: ProofResult, proof: JsonObject) -> Check | None:
    """Return a check that says why a proof is not good, for the one that builds on it; None if it is good."""
    failed = next((check for check in result.checks if check.outcome is Outcome.FAIL), None)
    worst = failed or next((check for check in result.checks if check.outcome is Outcome.UNKNOWN), None)
    if worst is None:
        return None
    problem = Problem.NOT_CHECKED if failed is None else Problem.PROOF_INVALID
    sentence = f"The proof builds on an earlier one, of which this is to be said: {worst.sentence}"
    return _proof_check(worst.outcome, sentence, problem, str(proof.get("id"))[:200])


def check_purpose(proof: JsonObject, expected: ExpectedProof) -> Check | None:
    """Return a failed check if purpose, challenge or domain are not as expected (Data Integrity 1.0, 4.4 and 4.5)."""
    if (purpose := proof.get("proofPurpose")) != expected.purpose:
        sentence = f"The proof was made for another purpose than to {_PURPOSES[expected.purpose]}."
        return _proof_check(Outcome.FAIL, sentence, Problem.PROOF_PURPOSE, str(purpose)[:80])
    if expected.challenge is not None and proof.get("challenge") != expected.challenge:
        sentence = "The proof answers another challenge."
        return _proof_check(Outcome.FAIL, sentence, Problem.CHALLENGE_MISMATCH, str(proof.get("challenge"))[:80])
    # 4.4: the domains must be the same, so a proof for several verifiers is none for this one.
    domains = as_list(proof.get("domain"))
    if expected.domain is not None and (not domains or any(domain != expected.domain for domain in domains)):
        sentence = "The proof was made for another domain."
        return _proof_check(Outcome.FAIL, sentence, Problem.DOMAIN_MISMATCH, str(proof.get("domain"))[:80])
    return None


def _check_statement(name: str, proof: Proof, now: datetime) -> Check:
    """Return the check ``proof`` of the proof's dates."""
    if proof.expires is not None and proof.expires <= now:
        return _proof_check(Outcome.FAIL, "The proof has expired.", Problem.PROOF_EXPIRED, str(proof.expires))
    if proof.created is not None and proof.created > now + CLOCK_TOLERANCE:
        sentence = "The proof says that it was made in the future."
        return _proof_check(Outcome.WARN, sentence, Problem.PROOF_FROM_FUTURE, str(proof.created))
    sentence = "It carries a proof that can be checked."
    if name == ecdsa_sd_2023.CRYPTOSUITE:
        sentence = "It carries a proof of what is shown; its holder may have left out the rest, such as when it ends."
    return _proof_check(Outcome.PASS, sentence, None, None)


def _unsupported(kind: JsonValue, suite: JsonValue) -> ProofResult:
    value = suite if kind == eddsa_rdfc_2022.PROOF_TYPE else kind
    known = _OTHER_SUITES if kind == eddsa_rdfc_2022.PROOF_TYPE else _OTHER_TYPES
    name = value if isinstance(value, str) else None
    if name in known:
        check = _proof_check(
            Outcome.UNKNOWN, "The proof is of a kind that is not understood here.", Problem.PROOF_UNSUPPORTED, name
        )
        return ProofResult(format=name, checks=(check, signature_check(Outcome.UNKNOWN)))
    return _failed(name, Problem.PROOF_INVALID, "The proof is of no known kind.", detail=name)


def _failed(name: str | None, problem: Problem, sentence: str, *, detail: str | None = None) -> ProofResult:
    check = _proof_check(Outcome.FAIL, sentence, problem, detail)
    return ProofResult(format=name, checks=(check, signature_check(Outcome.UNKNOWN)))
