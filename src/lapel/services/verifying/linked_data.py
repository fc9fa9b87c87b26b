"""What does the document mean as linked data? Contexts, terms, canonical form; and nothing hidden from plain readers.

An embedded proof signs RDF, not JSON, and not ``@context``. Whoever holds a badge may therefore spell it otherwise
without breaking its signature: write ``validUntil`` as a full IRI, and a reader of plain JSON sees no end. So every
statement about the credential that this verifier decides by must stand under its usual name (VC Data Integrity 1.0,
4.6, context validation, leaves the means to the verifier).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from lapel.credentials.jsonld import Contexts, GeneralPathTimeout, NeedsGeneralPath, UndefinedTerm, UnknownContext
from lapel.credentials.nquads import Quad
from lapel.credentials.rdfc import CanonicalisationBudgetExceeded
from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import LapelError, TooLarge, Unavailable
from lapel.services.verifying.members import as_list, id_of, objects
from lapel.services.verifying.quads import QuadMaker
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem
from lapel.services.verifying.structure import CONTEXT_1, CONTEXT_2, is_badge

__all__ = ["LinkedData", "NotCanonical", "check_contexts"]

_CREDENTIALS: Final = "https://www.w3.org/2018/credentials#"
_DECISIVE: Final = (
    "credentialStatus",
    "credentialSubject",
    "expirationDate",
    "issuanceDate",
    "issuer",
    "validFrom",
    "validUntil",
)
_BADGE_CONTEXTS: Final = (
    "https://purl.imsglobal.org/spec/ob/v3p0/context",
    "https://purl.imsglobal.org/spec/clr/v2p0/context",
)
_STATUS_SIZE: Final = "<https://www.w3.org/ns/credentials/status#statusSize>"
_TYPE: Final = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
_CREDENTIAL_TYPE: Final = f"<{_CREDENTIALS}VerifiableCredential>"


class NotCanonical(Exception):
    """The document has no canonical form; `check` says why. It never leaves this package."""

    def __init__(self, check: Check) -> None:
        super().__init__(check.sentence)
        self.check = check


class LinkedData:
    """One verification's documents in canonical form, each made once."""

    def __init__(self, maker: QuadMaker) -> None:
        self._maker = maker
        self._done: dict[int, tuple[JsonObject, str | NotCanonical]] = {}

    async def canonical(self, document: JsonObject) -> str:
        """The canonical form of a document, remembered for that very object.

        Raises:
            NotCanonical: it has none, or nothing that can be trusted.
        """
        known = self._done.get(id(document))
        if known is None:
            try:
                known = (document, await self._canonical(document))
            except NotCanonical as error:
                known = (document, error)
            self._done[id(document)] = known
        if isinstance(known[1], NotCanonical):
            raise known[1]
        return known[1]

    async def check(self, bare: JsonObject) -> Check:
        """The check ``json_ld`` of a document without its proof."""
        try:
            await self.canonical(bare)
        except NotCanonical as error:
            return error.check
        sentence = "Everything in the credential has a defined meaning."
        return Check(code=CheckCode.JSON_LD, outcome=Outcome.PASS, sentence=sentence)

    async def _canonical(self, document: JsonObject) -> str:
        try:
            quads = await self._maker.quads(document)
            hidden = _hidden(document, quads)
            if hidden:
                sentence = "The document hides a statement about the credential under another name."
                raise NotCanonical(_refuse(Problem.MEMBER_HIDDEN, sentence, detail=hidden))
            return await self._maker.canonical(quads)
        except GeneralPathTimeout as error:
            sentence = "It took too long to work out what the document means."
            check = _refuse(Problem.TOO_COMPLEX, sentence, detail=error.detail, outcome=Outcome.UNKNOWN)
            raise NotCanonical(check) from error
        except (CanonicalisationBudgetExceeded, TooLarge) as error:
            sentence = "The document is too intricate to be checked."
            raise NotCanonical(_refuse(Problem.TOO_COMPLEX, sentence, detail=error.detail)) from error
        except UnknownContext as error:
            sentence = "A context is not known here, so what the document means cannot be told."
            raise NotCanonical(_refuse(Problem.CONTEXT_UNKNOWN, sentence, detail=error.detail)) from error
        except (Unavailable, NeedsGeneralPath) as error:
            sentence = "What the document means could not be worked out right now."
            check = _refuse(Problem.NOT_CHECKED, sentence, detail=error.detail, outcome=Outcome.UNKNOWN)
            raise NotCanonical(check) from error
        except LapelError as error:
            if isinstance(error, UndefinedTerm):
                sentence = "A part of the document has no defined meaning, so a signature would not cover it."
            else:
                sentence = "The document is not valid JSON-LD."
            where = next((f"{part.pointer}: " for part in error.errors if part.pointer), "")
            raise NotCanonical(_refuse(Problem.JSON_LD_INVALID, sentence, detail=f"{where}{error.detail}")) from error


def check_contexts(credential: JsonObject, *, contexts: Contexts, signed_as_json: bool) -> Check:
    """The check ``contexts``: the right ones are there, in the right order, and all are known.

    Args:
        signed_as_json: a token signs the very JSON; then an unknown context is only worth a warning.
    """
    given = as_list(credential.get("@context"))
    if not given or given[0] not in (CONTEXT_1, CONTEXT_2):
        sentence = "The first context must be that of Verifiable Credentials."
        return _contexts(Outcome.FAIL, sentence, Problem.CONTEXT_MISSING, str(given[0])[:200] if given else None)
    badge_context = any(isinstance(item, str) and item.startswith(_BADGE_CONTEXTS) for item in given)
    if is_badge(credential) and not badge_context:
        sentence = "The badge lacks the context of Open Badges."
        return _contexts(Outcome.FAIL, sentence, Problem.CONTEXT_MISSING)
    unknown = [item for item in given if isinstance(item, str) and not contexts.knows(item)]
    if unknown:
        outcome = Outcome.WARN if signed_as_json else Outcome.FAIL
        sentence = "The badge uses a context that is not known here, and contexts are never fetched."
        return _contexts(outcome, sentence, Problem.CONTEXT_UNKNOWN, ", ".join(unknown)[:400])
    return _contexts(Outcome.PASS, "The badge uses contexts that are known here.")


def _hidden(document: JsonObject, quads: Sequence[Quad]) -> str | None:
    """The name of a decisive member of which the RDF says more than the JSON shows under that name."""
    credentials = {quad[0] for quad in quads if quad[1] == _TYPE and quad[2] == _CREDENTIAL_TYPE and not quad[3]}
    if not credentials:
        return None
    root = id_of(document)
    # Without an id nothing else can speak of the credential, but nested credentials look alike: all count.
    node = None if root is None else f"<{root}>"
    if node is not None and node not in credentials:
        return "id"  # it is short for another one, or another node's
    for name in _DECISIVE:
        predicate = f"<{_CREDENTIALS}{name}>"
        said = {quad[2] for quad in quads if quad[1] == predicate and node in (None, quad[0]) and not quad[3]}
        if said and not _shows(document.get(name), said):
            return name
    # Were it overlooked, another bit of the status list would be read.
    sizes = sum(quad[1] == _STATUS_SIZE for quad in quads)
    shown = sum(entry.get("statusSize") is not None for entry in objects(document.get("credentialStatus")))
    return "statusSize" if sizes > shown else None


def _shows(value: JsonValue, said: Collection[str]) -> bool:
    """Whether the JSON value names every IRI that is said, and has as many unnamed nodes and literals."""
    items = as_list(value)
    names = {name for item in items if (name := id_of(item)) is not None}
    unnamed = sum(isinstance(item, Mapping) and id_of(item) is None for item in items)
    blank_names = sum(name.startswith("_:") for name in names)
    texts = len({item for item in items if isinstance(item, str)})
    blank = sum(term.startswith("_:") for term in said)
    literals = sum(term.startswith('"') for term in said)
    iris = {term[1:-1] for term in said if term.startswith("<")}
    return iris <= names and blank <= unnamed + blank_names and literals <= texts


def _refuse(problem: Problem, sentence: str, *, detail: str | None, outcome: Outcome = Outcome.FAIL) -> Check:
    return Check(code=CheckCode.JSON_LD, outcome=outcome, sentence=sentence, problem=problem, detail=detail)


def _contexts(outcome: Outcome, sentence: str, problem: Problem | None = None, detail: str | None = None) -> Check:
    return Check(code=CheckCode.CONTEXTS, outcome=outcome, sentence=sentence, problem=problem, detail=detail)
