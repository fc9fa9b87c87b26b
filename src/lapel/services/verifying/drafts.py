"""Examines a document before it is signed, if somebody else has written it.

A draft must pass the same checks that a verifier makes before it checks the proof, so that this server signs nothing
that it would not accept itself.
"""

from __future__ import annotations

from lapel.credentials.jsonld import Contexts
from lapel.domain.json import JsonObject
from lapel.errors import FieldError, InvalidInput, Unavailable
from lapel.services.verifying.data_model.schema import check_classes, check_schema
from lapel.services.verifying.data_model.structure import check_structure, too_many_items
from lapel.services.verifying.linked_data.canonical import LinkedData, NotCanonical
from lapel.services.verifying.linked_data.quads import GeneralProcessor, QuadMaker
from lapel.services.verifying.offloading import offload_if_large
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
        """Return the canonical form of the draft, or of its proof options.

        Raises:
            DraftRefused: it has no canonical form.
            Unavailable: it cannot be computed right now.
        """
        try:
            return await self._linked_data.canonical(document)
        except NotCanonical as error:
            _raise_unless_good(error.check)
            raise


class Drafts:
    """Examines drafts.

    Args:
        contexts: the known JSON-LD contexts.
        general_path: processes JSON-LD that the fast path does not support; without it such documents are refused.
    """

    def __init__(self, *, contexts: Contexts, general_path: GeneralProcessor | None) -> None:
        self._maker = QuadMaker(contexts=contexts, general_path=general_path)

    async def examine(self, document: JsonObject) -> Draft:
        """Return the draft, if all checks except those of its proof would pass.

        Raises:
            DraftRefused: a check would fail.
            Unavailable: the document cannot be processed right now.
        """
        _raise_unless_good(too_many_items(document))
        _raise_unless_good(await offload_if_large(document, check_structure, document))
        linked_data = LinkedData(self._maker, strict_numbers=True)
        _raise_unless_good(await linked_data.check_contexts(document))
        _raise_unless_good(await linked_data.check(document))
        for check in await offload_if_large(document, check_schema, document):
            _raise_unless_good(check)
        _raise_unless_good(await offload_if_large(document, check_classes, document))
        return Draft(linked_data)


def _raise_unless_good(check: Check | None) -> None:
    if check is None or check.problem is None or check.good:
        return
    detail = f"{check.sentence} ({check.detail})" if check.detail else check.sentence
    if check.outcome is Outcome.UNKNOWN:
        raise Unavailable(detail)
    raise DraftRefused(detail, errors=[FieldError("", detail, check.problem.value)])
