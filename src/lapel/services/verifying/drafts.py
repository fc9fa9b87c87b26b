"""Would this be believed, were it signed? For whoever signs what somebody else has written.

A draft goes through the very checks that a verifier makes before it looks at the proof, so that nothing is signed that
this server would refuse.
"""

from __future__ import annotations

from lapel.credentials.jsonld import Contexts
from lapel.domain.json import JsonObject
from lapel.errors import FieldError, InvalidInput, Unavailable
from lapel.services.verifying.apart import apart
from lapel.services.verifying.data_model.schema import check_classes, check_schema
from lapel.services.verifying.data_model.structure import check_structure, overfull
from lapel.services.verifying.linked_data.context_rules import check_contexts
from lapel.services.verifying.linked_data.meaning import LinkedData, NotCanonical
from lapel.services.verifying.linked_data.quads import GeneralProcessor, QuadMaker
from lapel.services.verifying.report import Check, Outcome

__all__ = ["Draft", "DraftRefused", "Drafts"]


class DraftRefused(InvalidInput):
    """No verifier would believe this document, whoever signed it."""

    code = "draft_refused"


class Draft:
    """A document that may be signed, and the canonical forms that its proof needs."""

    def __init__(self, linked_data: LinkedData) -> None:
        self._linked_data = linked_data

    async def canonical(self, document: JsonObject) -> str:
        """The canonical form of the draft, or of its proof's options.

        Raises:
            DraftRefused, Unavailable: it has none, or none now.
        """
        try:
            return await self._linked_data.canonical(document)
        except NotCanonical as error:
            _refuse(error.check)
            raise


class Drafts:
    """Examines drafts.

    Args:
        contexts: the JSON-LD contexts that are known.
        general_path: for JSON-LD beyond the fast path; None refuses such documents.
    """

    def __init__(self, *, contexts: Contexts, general_path: GeneralProcessor | None) -> None:
        self._maker = QuadMaker(contexts=contexts, general_path=general_path)

    async def examine(self, document: JsonObject) -> Draft:
        """The draft, if everything but its proof would pass.

        Raises:
            DraftRefused: it would not.
            Unavailable: what it means cannot be worked out right now.
        """
        _refuse(overfull(document))
        _refuse(await apart(document, check_structure, document))
        contexts = self._maker.contexts
        _refuse(await apart(document, check_contexts, document, contexts=contexts, signed_as_json=False))
        linked_data = LinkedData(self._maker, strict_numbers=True)
        _refuse(await linked_data.check(document))
        for check in await apart(document, check_schema, document):
            _refuse(check)
        _refuse(await apart(document, check_classes, document))
        return Draft(linked_data)


def _refuse(check: Check | None) -> None:
    if check is None or check.problem is None or check.outcome in (Outcome.PASS, Outcome.WARN, Outcome.SKIP):
        return
    detail = f"{check.sentence} ({check.detail})" if check.detail else check.sentence
    if check.outcome is Outcome.UNKNOWN:
        raise Unavailable(detail)
    raise DraftRefused(detail, errors=[FieldError("", detail, check.problem.value)])
