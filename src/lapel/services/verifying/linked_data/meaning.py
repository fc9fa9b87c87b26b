"""What does the document mean as linked data? Contexts, terms, canonical form; and nothing hidden from plain readers.

An embedded proof signs RDF, not JSON, and not ``@context``. Whoever holds a badge may therefore spell it otherwise
without breaking its signature: write ``validUntil`` as a full IRI, and a reader of plain JSON sees no end. So every
statement about the credential that this verifier decides by must stand under its usual name (VC Data Integrity 1.0,
4.6, context validation, leaves the means to the verifier).
"""

from __future__ import annotations

from lapel.credentials.jsonld import GeneralPathTimeout, NeedsGeneralPath, UndefinedTerm, UnknownContext
from lapel.credentials.rdf.rdfc import CanonicalisationBudgetExceeded
from lapel.domain.json import JsonObject
from lapel.errors import LapelError, TooLarge, Unavailable
from lapel.services.verifying.apart import apart
from lapel.services.verifying.linked_data.hidden import hidden_member
from lapel.services.verifying.linked_data.quads import QuadMaker
from lapel.services.verifying.linked_data.spelling import misspelt
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem

__all__ = ["LinkedData", "NotCanonical"]


class NotCanonical(Exception):
    """The document has no canonical form; `check` says why. It never leaves this package."""

    def __init__(self, check: Check) -> None:
        super().__init__(check.sentence)
        self.check = check


class LinkedData:
    """One verification's documents in canonical form, each made once.

    Args:
        strict_numbers: refuse numbers that not everybody writes alike.
    """

    def __init__(self, maker: QuadMaker, *, strict_numbers: bool = False) -> None:
        self._maker = maker
        self._strict_numbers = strict_numbers
        self._done: dict[int, tuple[JsonObject, str | Check]] = {}

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
                # Not the error itself: its traceback leads back here, which would keep the document in memory.
                known = (document, error.check)
            self._done[id(document)] = known
        if isinstance(known[1], Check):
            raise NotCanonical(known[1])
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
            _refuse_hidden(await apart(document, misspelt, document))
            quads = await self._maker.quads(document, strict_numbers=self._strict_numbers)
            _refuse_hidden(await apart(document, hidden_member, document, quads))
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


def _refuse_hidden(hidden: str | None) -> None:
    if hidden is not None:
        sentence = "The document hides a statement about the credential under another name."
        raise NotCanonical(_refuse(Problem.MEMBER_HIDDEN, sentence, detail=hidden))


def _refuse(problem: Problem, sentence: str, *, detail: str | None, outcome: Outcome = Outcome.FAIL) -> Check:
    return Check(code=CheckCode.JSON_LD, outcome=outcome, sentence=sentence, problem=problem, detail=detail)
