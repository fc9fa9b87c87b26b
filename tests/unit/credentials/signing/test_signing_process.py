"""The process that signs beside the server: what it signs is what is signed here, and nothing depends on it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lapel.credentials import keys
from lapel.credentials.constant_parts import ConstantPart, ProofOptions, SplitDocument, constant_part
from lapel.credentials.eddsa_rdfc_2022 import encode_proof_value
from lapel.credentials.signing.process import SigningJob, SigningProcess, _Connection, _QueuedJob, _Results
from lapel.credentials.signing.worker import frame
from lapel.domain.json import JsonObject
from lapel.domain.signing_key import KeyAlgorithm
from lapel.openbadges import v3

KEY = keys.generate(KeyAlgorithm.ED25519).private_key
OPTIONS = ProofOptions({"type": "DataIntegrityProof", "proofPurpose": "assertionMethod"}, bytes(range(32)))


def parts(name: str = "Riverside School") -> list[ConstantPart]:
    issuer: JsonObject = {"id": "https://school.example/issuer", "type": ["Profile"], "name": name}
    achievement: JsonObject = {
        "id": "https://school.example/knots",
        "type": ["Achievement"],
        "name": "Knots",
        "description": "Ties ten knots.",
        "criteria": {"narrative": "Tie **ten** knots."},
    }
    return [
        constant_part(issuer, contexts=v3.CONTEXTS, label="i"),
        constant_part(achievement, contexts=v3.CONTEXTS, label="a"),
    ]


def document(number: int, constant: Sequence[ConstantPart], **more: Any) -> SplitDocument:
    credential: JsonObject = {
        "@context": list(v3.CONTEXTS),
        "id": f"urn:uuid:018f3c1a-0000-7000-8000-{number:012}",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "issuer": constant[0].wire,
        "validFrom": "2026-01-01T00:00:00Z",
        "credentialSubject": {"type": ["AchievementSubject"], "achievement": constant[1].wire, **more},
    }
    return SplitDocument.of(credential, issuer=constant[0], achievement=constant[1])


def signed_here(document: SplitDocument, key: bytes = KEY) -> str:
    return encode_proof_value(keys.LocalSigner(key).sign(OPTIONS.digest + document.digest()))


async def signed_alone(process: SigningProcess, document: SplitDocument, key: bytes = KEY) -> str | None:
    (signed,) = await process.sign([SigningJob(document, OPTIONS, key)])
    return signed


async def signed_beside(
    process: SigningProcess, documents: Sequence[SplitDocument], key: bytes = KEY
) -> list[str | None]:
    """Each asked for by itself, at the same moment."""
    return await asyncio.gather(*(signed_alone(process, document, key) for document in documents))


@asynccontextmanager
async def ready(process: SigningProcess) -> AsyncIterator[SigningProcess]:
    """The process, once it signs; closed at the end."""
    constant = parts()
    try:
        async with asyncio.timeout(60):
            while process.pid is None:
                await signed_beside(process, [document(number, constant) for number in range(3)])
                await asyncio.sleep(0.02)
        yield process
    finally:
        await process.close()


async def test_it_does_not_start_for_one_alone() -> None:
    process = SigningProcess()
    try:
        assert await signed_beside(process, [document(0, parts())]) == [None]
        assert process._running is None
        assert await signed_beside(process, [document(number, parts()) for number in range(3)]) == [None] * 3
        assert process._running is not None
    finally:
        await process.close()


async def test_it_signs_as_the_server_does() -> None:
    constant, others, key = parts(), parts("Hillside School"), keys.generate(KeyAlgorithm.ED25519).private_key
    documents = [document(number, (constant, others)[number % 2], narrative="שחמט 🏅\n\u2028") for number in range(100)]
    async with ready(SigningProcess()) as process:
        assert await signed_beside(process, documents) == [signed_here(document) for document in documents]
        assert await signed_beside(process, documents[:9], key) == [signed_here(one, key) for one in documents[:9]]


async def test_who_comes_alone_signs_himself() -> None:
    async with ready(SigningProcess()) as process:
        assert await signed_beside(process, [document(1, parts())]) == [None]


async def test_who_comes_alone_does_not_wait_behind_a_batch() -> None:
    constant = parts()
    documents = [document(number, constant) for number in range(300)]
    async with ready(SigningProcess()) as process:
        batch = asyncio.ensure_future(process.sign([SigningJob(document, OPTIONS, KEY) for document in documents]))
        await asyncio.sleep(0)
        assert await signed_alone(process, document(300, constant)) is None
        assert not batch.done()
        assert await batch == [signed_here(document) for document in documents]


async def test_before_it_is_ready_everybody_signs_himself() -> None:
    process = SigningProcess()
    try:
        assert await signed_beside(process, [document(number, parts()) for number in range(20)]) == [None] * 20
    finally:
        await process.close()
    assert await signed_beside(process, [document(1, parts())]) == [None]


async def test_what_it_cannot_sign_is_left_to_who_can_say_why() -> None:
    constant = parts()
    documents = [document(1, constant), document(2, constant, undefined="x"), document(3, constant, name=2**70)]
    documents += [document(number, constant) for number in range(4, 8)]
    async with ready(SigningProcess()) as process:
        found = await signed_beside(process, documents)
    assert found[1:3] == [None, None]
    assert [found[0], *found[3:]] == [signed_here(document) for document in (documents[0], *documents[3:])]


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
async def test_one_that_is_killed_or_hangs_keeps_nobody_waiting_and_is_replaced(fault: signal.Signals) -> None:
    constant = parts()
    documents = [document(number, constant) for number in range(300)]
    wanted = [SigningJob(document, OPTIONS, KEY) for document in documents]
    expected = [signed_here(document) for document in documents]
    async with ready(SigningProcess(answer_seconds=0.3, pause_seconds=0.01)) as process:
        first = process.pid
        assert first is not None
        os.kill(first, fault)
        found = await asyncio.wait_for(process.sign(wanted), 20)
        assert None in found
        assert all(one in (None, right) for one, right in zip(found, expected, strict=True))
        async with asyncio.timeout(60):
            while None in await process.sign(wanted[:9]):  # which takes no such time on any machine
                await asyncio.sleep(0.02)
        assert process.pid not in (None, first)


async def test_one_that_ends_before_it_is_ready_is_replaced_as_soon() -> None:
    constant = parts()
    process = SigningProcess(pause_seconds=0.01)
    try:
        await signed_beside(process, [document(number, constant) for number in range(3)])
        async with asyncio.timeout(60):
            while process._process is None:
                await asyncio.sleep(0.001)
        os.kill(process._process.pid, signal.SIGKILL)
        assert process._running is not None
        await asyncio.wait_for(process._running, 10)
        async with ready(process):
            pass
    finally:
        await process.close()


async def test_it_learns_only_so_much() -> None:
    async with ready(SigningProcess(pause_seconds=0.01, max_cached=8)) as process:
        first = process.pid
        async with asyncio.timeout(60):
            while process.pid in (None, first):
                constant = parts()
                documents = [document(number, constant) for number in range(5)]
                found = await signed_beside(process, documents)
                assert found in ([None] * 5, [signed_here(document) for document in documents])
                await asyncio.sleep(0.02)


async def test_who_is_cancelled_disturbs_nobody() -> None:
    constant = parts()
    documents = [document(number, constant) for number in range(60)]
    async with ready(SigningProcess()) as process:
        for turns in range(5):
            signing = [asyncio.ensure_future(signed_alone(process, document)) for document in documents]
            for _ in range(turns):
                await asyncio.sleep(0)
            for one in signing[::2]:
                one.cancel()
            found = await asyncio.gather(*signing[1::2])
            assert found == [signed_here(document) for document in documents[1::2]]


async def test_it_is_told_nothing_but_its_work_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAPEL_MASTER_KEY", "secret")
    tasks = asyncio.all_tasks()
    async with ready(SigningProcess()) as process:
        environment = Path(f"/proc/{process.pid}/environ")
        assert not environment.exists() or b"LAPEL" not in environment.read_bytes()
        pid = process.pid
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert asyncio.all_tasks() == tasks


@pytest.mark.parametrize(
    "answers",
    [[[]], [["zA"]], [["zA", "zB", "zC", "zD"]], [["zA"] * 3, []], [["zA"] * 3, ["zB"] * 3]],
    ids=["none", "too few", "too many", "one more frame", "one more answer"],
)
async def test_a_process_that_is_not_itself_is_ended_and_believed_no_more(answers: list[list[str]]) -> None:
    constant = parts()
    documents = [document(number, constant) for number in range(3)]
    async with ready(SigningProcess(pause_seconds=0.01)) as process:
        line = process._connection
        assert line is not None
        signing = [asyncio.ensure_future(signed_alone(process, one)) for one in documents]
        while not line.unanswered:
            await asyncio.sleep(0)
        line.data_received(b"".join(map(frame, answers)))
        found = await asyncio.wait_for(asyncio.gather(*signing), 20)
        assert found in ([None] * 3, ["zA"] * 3)
        assert process._connection is not line
        line.data_received(frame([]) + frame(["zA"] * 3))  # what comes late
        async with asyncio.timeout(60):
            while None in (found := await signed_beside(process, documents)):
                await asyncio.sleep(0.02)
        assert found == [signed_here(one) for one in documents]


@pytest.mark.parametrize("size", [1, 3, 4_096])
async def test_answers_that_come_in_pieces_are_put_together(size: int) -> None:
    broken: list[None] = []
    line = _Connection(on_answer=lambda: None, on_failure=lambda: broken.append(None))

    def receive(told: bytes) -> None:
        for first in range(0, len(told), size):
            line.data_received(told[first : first + size])

    receive(frame([]))
    assert line.ready.is_set()
    answers = [_Results(1, asyncio.get_running_loop()) for _ in range(2)]
    for each in answers:
        line.unanswered.append([_QueuedJob(msgspec.Raw(b""), SigningJob(document(1, parts()), OPTIONS, b""), each, 0)])
    receive(frame(["a" * 5_000]) + frame(["b"]))

    assert [each.values for each in answers] == [["a" * 5_000], ["b"]]
    assert not broken
