"""Runs the general path in a worker process, which is killed if a document takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import json
from asyncio.subprocess import Process
from types import TracebackType
from typing import Final, Self

from lapel.credentials.jsonld import errors
from lapel.credentials.jsonld.contexts import Contexts
from lapel.credentials.jsonld.errors import (
    DocumentTooLarge,
    GeneralPathBusy,
    GeneralPathFailed,
    GeneralPathTimeout,
    JsonLdError,
)
from lapel.credentials.jsonld.limits import bounded_copy
from lapel.credentials.rdf.nquads import Quad
from lapel.credentials.worker_process import start_worker
from lapel.domain.json import JsonObject
from lapel.errors import LapelError

__all__ = ["GeneralPath"]

WORKER: Final = "lapel.credentials.jsonld.general_worker"
START_SECONDS: Final = 30.0
MAX_WAITING: Final = 32
MAX_LINE_BYTES: Final = 64 * 1024**2


class GeneralPath:
    """Runs `general_to_quads` in a long-lived worker process, one document at a time.

    The worker is started for the first document, and restarted after it was killed. Use this class as an async context
    manager, or call `close`.

    Args:
        contexts: the pinned contexts.
        seconds: the time limit for one document, excluding the wait for others.
    """

    def __init__(self, contexts: Contexts, *, seconds: float = 5.0) -> None:
        self._contexts = contexts
        self._seconds = seconds
        self._process: Process | None = None
        self._lock = asyncio.Lock()
        self._waiting = 0

    @property
    def worker_pid(self) -> int | None:
        """The process id of the running worker, for diagnostics, or None."""
        return self._process.pid if self._process else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def to_quads(self, document: JsonObject, *, strict_numbers: bool = True) -> list[Quad]:
        """Convert a JSON-LD document to RDF quads, in safe mode. Arguments as for `general_to_quads`.

        Raises:
            JsonLdError, DocumentTooLarge: as for `general_to_quads`.
            GeneralPathTimeout: the document took too long; the worker was killed.
            GeneralPathBusy: too many documents are waiting.
            GeneralPathFailed: the worker cannot be started, or ended unexpectedly.
        """
        plain = bounded_copy(document, strict_numbers=strict_numbers)
        if self._waiting >= MAX_WAITING:
            raise GeneralPathBusy
        self._waiting += 1
        try:
            async with self._lock:
                answer = await self._request(
                    {"document": plain, "strict_numbers": strict_numbers, "seconds": self._seconds}
                )
        finally:
            self._waiting -= 1
        if "error" in answer:
            raise _error(answer["error"])
        return [(s, p, o, g) for s, p, o, g in answer["quads"]]

    async def close(self) -> None:
        """Stop the worker."""
        await self._kill()

    async def _request(self, request: JsonObject) -> dict[str, list[list[str]]]:
        try:
            process = await self._start()
            try:
                async with asyncio.timeout(self._seconds):
                    return await _exchange(process, request)
            except TimeoutError as error:
                raise GeneralPathTimeout from error
        except (OSError, EOFError, ValueError) as error:
            await self._kill()
            raise GeneralPathFailed(f"the general JSON-LD processor stopped: {error}") from error
        except BaseException:
            # Also when cancelled: otherwise the worker would answer the next request with this document's quads.
            await self._kill()
            raise

    async def _start(self) -> Process:
        """Return the running worker, after starting one if there is none."""
        if self._process is None or self._process.returncode is not None:
            self._process = await start_worker(WORKER, limit=MAX_LINE_BYTES)
            async with asyncio.timeout(START_SECONDS):
                await _exchange(self._process, {"contexts": dict(self._contexts.added())})
        return self._process

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        # Reads the remaining output, so that the pipes are closed too.
        await process.communicate()


async def _exchange(process: Process, message: JsonObject) -> dict[str, list[list[str]]]:
    if process.stdin is None or process.stdout is None:
        raise OSError("the worker has no pipes")
    process.stdin.write(json.dumps(message).encode() + b"\n")
    await process.stdin.drain()
    line = await process.stdout.readline()
    if not line:
        raise EOFError("it ended")
    answer: dict[str, list[list[str]]] = json.loads(line)
    return answer


def _error(serialised: object) -> LapelError:
    """Return an error of the worker as an exception of the same class."""
    if not isinstance(serialised, dict):
        return GeneralPathFailed()
    kind: object = getattr(errors, str(serialised.get("class")), None)
    if kind is DocumentTooLarge:
        return DocumentTooLarge(serialised["detail"])
    if isinstance(kind, type) and issubclass(kind, JsonLdError):
        return kind(serialised["detail"], hint=serialised["hint"], pointer=serialised["pointer"])
    return GeneralPathFailed(serialised["detail"])
