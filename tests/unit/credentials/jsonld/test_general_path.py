"""The general path runs in a process that is stopped when a document takes too long."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lapel.credentials.jsonld import (
    Contexts,
    GeneralPath,
    GeneralPathBusy,
    GeneralPathFailed,
    GeneralPathTimeout,
    UndefinedTerm,
    general_to_quads,
)
from lapel.credentials.jsonld.general_path import MAX_WAITING
from lapel.errors import LapelError, TooLarge
from tests.support.work import calls_made

OPERATORS = "https://contexts.example/"
CONTEXTS = Contexts.bundled().with_documents({OPERATORS: {"@context": {"motto": {"@id": "urn:motto"}}}})
PLAIN: dict[str, Any] = {
    "@context": [OPERATORS, {"q": "urn:q"}],
    "motto": "Ad astra",
    "q": {"q": "\u2028\x00é\U0001f393"},
}
# Every type is compared with all before it: minutes.
ENDLESS: dict[str, Any] = {"@context": {"q": "urn:q"}, "@type": [f"urn:{number}" for number in range(30_000)]}


@pytest.fixture
async def general_path() -> AsyncIterator[GeneralPath]:
    async with GeneralPath(CONTEXTS, seconds=20) as path:
        yield path


def is_running(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_the_worker_answers_what_the_same_code_answers_here(general_path: GeneralPath) -> None:
    assert await general_path.to_quads(PLAIN) == general_to_quads(PLAIN, contexts=CONTEXTS)


async def test_one_worker_serves_many_documents(general_path: GeneralPath) -> None:
    await general_path.to_quads(PLAIN)
    first = general_path.worker_pid
    await asyncio.gather(*(general_path.to_quads(PLAIN) for _ in range(5)))
    assert general_path.worker_pid == first


async def test_an_error_comes_back_as_it_was(general_path: GeneralPath) -> None:
    with pytest.raises(UndefinedTerm) as caught:
        await general_path.to_quads(PLAIN | {"unknown": 1})
    assert caught.value.pointer == "/unknown"
    assert caught.value.errors[0].code == "jsonld_undefined_term"
    assert caught.value.hint == UndefinedTerm.hint


async def test_a_document_that_takes_too_long_is_stopped_with_its_process() -> None:
    async with GeneralPath(CONTEXTS, seconds=0.5) as path:
        # given a worker that is at work
        await path.to_quads(PLAIN)
        first = path.worker_pid
        # when a document would keep it for minutes
        with pytest.raises(GeneralPathTimeout) as caught:
            await path.to_quads(ENDLESS)
        # then the worker is gone, the fault is the document's, and the next document finds another
        assert not is_running(first)
        assert caught.value.code == "jsonld_timeout"
        assert isinstance(caught.value, TooLarge)
        assert await path.to_quads(PLAIN)
        assert path.worker_pid != first


async def test_a_caller_who_leaves_takes_the_work_along(general_path: GeneralPath) -> None:
    # given a document that the worker is busy with
    await general_path.to_quads(PLAIN)
    first = general_path.worker_pid
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await general_path.to_quads(ENDLESS)
    # then nobody else gets its answer
    assert not is_running(first)
    assert await general_path.to_quads(PLAIN) == general_to_quads(PLAIN, contexts=CONTEXTS)


async def test_a_worker_that_dies_is_reported_and_replaced(general_path: GeneralPath) -> None:
    await general_path.to_quads(PLAIN)
    task = asyncio.create_task(general_path.to_quads(ENDLESS))
    await asyncio.sleep(0)  # until it waits for the answer
    assert general_path.worker_pid
    os.kill(general_path.worker_pid, signal.SIGKILL)
    with pytest.raises(GeneralPathFailed):
        await task
    assert await general_path.to_quads(PLAIN)


async def test_only_so_many_documents_wait(general_path: GeneralPath) -> None:
    outcomes = await asyncio.gather(
        *(general_path.to_quads(PLAIN) for _ in range(MAX_WAITING + 3)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, LapelError)]
    assert [type(error) for error in refused] == [GeneralPathBusy] * 3


async def test_closing_stops_the_worker() -> None:
    path = GeneralPath(CONTEXTS)
    await path.to_quads(PLAIN)
    worker = path.worker_pid
    await path.close()
    assert not is_running(worker)
    await path.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_worker_does_not_get_our_secrets(monkeypatch: pytest.MonkeyPatch, general_path: GeneralPath) -> None:
    monkeypatch.setenv("LAPEL_MASTER_KEY", "secret")
    await general_path.to_quads(PLAIN)
    assert b"secret" not in Path(f"/proc/{general_path.worker_pid}/environ").read_bytes()


def listed(number: int) -> dict[str, Any]:
    """A document with so many texts, so many nodes, and each of them twice."""
    texts = [str(each) for each in range(number)]
    return {"@context": {"q": "urn:q"}, "q": [*texts, *({"q": text, "@id": f"urn:{text}"} for text in texts)] * 2}


def test_long_lists_are_worked_through_once_and_say_nothing_twice() -> None:
    quads = general_to_quads(listed(100), contexts=CONTEXTS)
    assert len(quads) == len(set(quads)) == 300

    few, many = (calls_made(partial(general_to_quads, listed(number), contexts=CONTEXTS)) for number in (100, 400))

    assert many < 5 * few
