"""The canonical form of documents as linked data, and the check ``json_ld``: nothing is undefined or hidden.

An embedded proof signs RDF, not JSON, and not ``@context``. So a holder can rewrite a badge without breaking its
signature: with ``validUntil`` as a full IRI, a reader of plain JSON sees no end. Therefore every statement that this
verifier relies on must have its usual name (VC Data Integrity 1.0, 4.6, context validation, leaves the means to the
verifier).
"""

from __future__ import annotations

from lapel.credentials.jsonld import GeneralPathTimeout, NeedsGeneralPath, UndefinedTerm, UnknownContext
from lapel.credentials.rdf.rdfc import CanonicalisationBudgetExceeded
from lapel.domain.json import JsonObject
from lapel.errors import LapelError, TooLarge, Unavailable
from lapel.services.verifying.linked_data.context_rules import check_contexts
from lapel.services.verifying.linked_data.hidden import hidden_member
from lapel.services.verifying.linked_data.quads import QuadMaker
from lapel.services.verifying.linked_data.spelling import aliased_name
from lapel.services.verifying.offloading import offload_if_large
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem

__all__ = ["LinkedData", "NotCanonical"]


class NotCanonical(Exception):
    """The document has no canonical form; `check` says why. This error is not raised to callers of the package."""

    def __init__(self, check: Check) -> None:
        super().__init__(check.sentence)
        self.check = check


class LinkedData:
    """Computes the canonical forms of the documents of one verification, each once.

    Args:
        strict_numbers: refuse numbers whose canonical form differs between implementations.
    """

    def __init__(self, maker: QuadMaker, *, strict_numbers: bool = False) -> None:
        self._maker = maker
        self._strict_numbers = strict_numbers
        self._cache: dict[int, tuple[JsonObject, str | Check]] = {}

    async def canonical(self, document: JsonObject) -> str:
        """Return the canonical form of a document. It is cached by the object's identity.

        Raises:
            NotCanonical: it has none, or one that cannot be trusted.
        """
        cached = self._cache.get(id(document))
        if cached is None:
            try:
                cached = (document, await self._canonical(document))
            except NotCanonical as error:
                # Not the error itself, whose traceback refers to this frame, and would keep the document in memory.
                cached = (document, error.check)
            self._cache[id(document)] = cached
        if isinstance(cached[1], Check):
            raise NotCanonical(cached[1])
        return cached[1]

    async def check_contexts(self, document: JsonObject) -> Check:
        """Return the check ``contexts`` of a document that has embedded proofs, or is to get one."""
        contexts = self._maker.contexts
        return await offload_if_large(document, check_contexts, document, contexts=contexts, signed_as_json=False)

    async def check(self, bare: JsonObject) -> Check:
        """Return the check ``json_ld`` of a document without its proof."""
        try:
            await self.canonical(bare)
        except NotCanonical as error:
            return error.check
        sentence = "Everything in the credential has a defined meaning."
        return Check(code=CheckCode.JSON_LD, outcome=Outcome.PASS, sentence=sentence)

    async def _canonical(self, document: JsonObject) -> str:
        try:
            _require_not_hidden(await offload_if_large(document, aliased_name, document))
            quads = await self._maker.quads(document, strict_numbers=self._strict_numbers)
            _require_not_hidden(await offload_if_large(document, hidden_member, document, quads))
            return await self._maker.canonical(quads)
        except GeneralPathTimeout as error:
            sentence = "It took too long to work out what the document means."
            check = _problem_check(Problem.TOO_COMPLEX, sentence, detail=error.detail, outcome=Outcome.UNKNOWN)
            raise NotCanonical(check) from error
        except (CanonicalisationBudgetExceeded, TooLarge) as error:
            sentence = "The document is too intricate to be checked."
            raise NotCanonical(_problem_check(Problem.TOO_COMPLEX, sentence, detail=error.detail)) from error
        except UnknownContext as error:
            sentence = "A context is not known here, so what the document means cannot be told."
            raise NotCanonical(_problem_check(Problem.CONTEXT_UNKNOWN, sentence, detail=error.detail)) from error
        except (Unavailable, NeedsGeneralPath) as error:
            sentence = "What the document means could not be worked out right now."
            check = _problem_check(Problem.NOT_CHECKED, sentence, detail=error.detail, outcome=Outcome.UNKNOWN)
            raise NotCanonical(check) from error
        except LapelError as error:
            if isinstance(error, UndefinedTerm):
                sentence = "A part of the document has no defined meaning, so a signature would not cover it."
            else:
                sentence = "The document is not valid JSON-LD."
            where = next((f"{part.pointer}: " for part in error.errors if part.pointer), "")
            raise NotCanonical(
                _problem_check(Problem.JSON_LD_INVALID, sentence, detail=f"{where}{error.detail}")
            ) from error


def _require_not_hidden(hidden: str | None) -> None:
    if hidden is not None:
        sentence = "The document hides a statement about the credential under another name."
        raise NotCanonical(_problem_check(Problem.MEMBER_HIDDEN, sentence, detail=hidden))


def _problem_check(problem: Problem, sentence: str, *, detail: str | None, outcome: Outcome = Outcome.FAIL) -> Check:
    return Check(code=CheckCode.JSON_LD, outcome=outcome, sentence=sentence, problem=problem, detail=detail)
