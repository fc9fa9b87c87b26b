"""Turn documents into canonical N-Quads without blocking the event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from lapel.credentials.jsonld import Contexts, NeedsGeneralPath, to_quads
from lapel.credentials.rdf.nquads import Quad
from lapel.credentials.rdf.rdfc import canonicalise
from lapel.domain.json import JsonObject
from lapel.services.verifying.offloading import LARGE_VALUES, is_large

__all__ = ["GeneralProcessor", "QuadMaker"]


class GeneralProcessor(Protocol):
    """A complete JSON-LD processor that can be stopped (`lapel.credentials.jsonld.GeneralPath`)."""

    async def to_quads(self, document: JsonObject, *, strict_numbers: bool = True) -> list[Quad]: ...


class QuadMaker:
    """Computes quads and canonical forms: of small documents at once, of large ones one by one in a thread.

    Args:
        contexts: the pinned contexts.
        general_path: processes documents that the fast path does not support; without it these are refused.
    """

    def __init__(self, *, contexts: Contexts, general_path: GeneralProcessor | None) -> None:
        self.contexts = contexts
        self._general_path = general_path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="verifying")
        # Compiled contexts are not thread-safe, so the thread has its own.
        self._thread_contexts: Contexts | None = None

    async def quads(self, document: JsonObject, *, strict_numbers: bool = False) -> list[Quad]:
        """Return the document's quads, in safe mode.

        Args:
            strict_numbers: refuse numbers whose canonical form differs between implementations. Needed only to issue:
                when a document is verified, its signature fails if its issuer wrote them differently.

        Raises:
            JsonLdError, DocumentTooLarge: see `to_quads`.
            NeedsGeneralPath: the fast path does not support the document, and there is no general path.
            GeneralPathTimeout, GeneralPathBusy, GeneralPathFailed: see `GeneralPath.to_quads`.
        """
        try:
            if is_large(document):
                work = partial(self._in_thread, document, strict_numbers)
                return await asyncio.get_running_loop().run_in_executor(self._thread, work)
            return to_quads(document, contexts=self.contexts, strict_numbers=strict_numbers)
        except NeedsGeneralPath:
            if self._general_path is None:
                raise
            return await self._general_path.to_quads(document, strict_numbers=strict_numbers)

    async def canonical(self, quads: list[Quad]) -> str:
        """Return the canonical form of the quads.

        Raises:
            CanonicalisationBudgetExceeded: the graph is too hard, probably on purpose.
        """
        if len(quads) < LARGE_VALUES:
            return canonicalise(quads)
        return await asyncio.get_running_loop().run_in_executor(self._thread, canonicalise, quads)

    def _in_thread(self, document: JsonObject, strict_numbers: bool) -> list[Quad]:
        if self._thread_contexts is None:
            self._thread_contexts = Contexts({url: self.contexts.document(url) for url in self.contexts.urls()})
        return to_quads(document, contexts=self._thread_contexts, strict_numbers=strict_numbers)
