"""Keys that another process holds: it signs, hands nothing out, and may be slow, wrong or away."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from lapel.credentials import keys
from lapel.credentials.jose import base64url
from lapel.credentials.key_storage.key_files import WrongPassphrase, private_pem
from lapel.credentials.signing.outside_signer import (
    OutsideSigner,
    SignerAnswer,
    SignerRequest,
    SignerUnavailable,
    key_name,
)
from lapel.credentials.signing.signer_service import KeyFolder, SignerAlreadyRunning, serving_signer
from lapel.domain.signing_key import KeyAlgorithm
from lapel.errors import Unavailable
from lapel.serving.server_process import loop_factory
from tests.support.bad_signers import Talk, listening, silent

PASSPHRASE = b"correct horse battery"
PAIR = keys.generate(KeyAlgorithm.ED25519)


@pytest.fixture
async def outside(tmp_path: Path) -> AsyncIterator[OutsideSigner]:
    """A client of the reference signer, which runs."""
    async with serving_signer(KeyFolder(tmp_path / "keys", passphrase=PASSPHRASE), tmp_path / "socket"):
        client = OutsideSigner(tmp_path / "socket", answer_seconds=30)
        yield client
        await client.close()


@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
async def test_a_key_is_made_there_and_signs_there(
    outside: OutsideSigner, tmp_path: Path, algorithm: KeyAlgorithm
) -> None:
    public = await outside.create(algorithm)
    signer = outside.signer(public)

    signatures = await asyncio.gather(*(signer.sign(b"data %d" % number) for number in range(20)))

    for number, signature in enumerate(signatures):
        keys.verify(keys.load_public(public), signature=signature, data=b"data %d" % number)
    assert signer.algorithm is algorithm
    [file] = (tmp_path / "keys").glob("*.pem")
    assert file.name == f"{key_name(public)}.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in file.read_bytes()


async def test_no_answer_holds_a_private_key(outside: OutsideSigner, tmp_path: Path) -> None:
    public = await outside.create(KeyAlgorithm.P256)
    reader, writer = await asyncio.open_unix_connection(tmp_path / "socket")
    for operation in ("create", "sign", "keys", "export", "private"):
        request = {"id": 1, "op": operation, "key": key_name(public), "data": "", "algorithm": "Ed25519"}
        writer.write(msgspec.json.encode(request) + b"\n")
        answer = msgspec.json.decode(await reader.readline())
        assert keys._PRIVATE_MEMBERS.isdisjoint(answer.get("jwk", {}))
        assert ("error" in answer) is (operation not in ("create", "sign"))
    writer.close()


async def test_keys_are_there_after_a_new_start_and_may_be_put_there(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path, passphrase=PASSPHRASE)
    made = folder.create(KeyAlgorithm.ED25519)
    (tmp_path / "mine.pem").write_bytes(private_pem(PAIR.private_key, passphrase=None))

    again = KeyFolder(tmp_path, passphrase=PASSPHRASE)

    assert len(again) == 2
    assert again.find(key_name(PAIR.public_key)).public_key == PAIR.public_key
    assert key_name(again.find(made["kid"]).public_key) == made["kid"]
    with pytest.raises(WrongPassphrase):
        KeyFolder(tmp_path, passphrase=b"another passphrase")


async def test_its_socket_is_its_owners_or_its_groups_and_nobody_takes_it_over(tmp_path: Path) -> None:
    folder, path = KeyFolder(tmp_path / "keys", passphrase=None), tmp_path / "socket"
    for for_group, mode in ((False, 0o600), (True, 0o660)):
        async with serving_signer(folder, path, for_group=for_group):
            assert stat.S_IMODE(path.stat().st_mode) == mode
            with pytest.raises(SignerAlreadyRunning):
                async with serving_signer(folder, path):
                    pass
    assert not path.exists()


async def test_a_key_that_is_not_held_there_is_no_key(outside: OutsideSigner) -> None:
    with pytest.raises(SignerUnavailable, match="not held"):
        await outside.signer(PAIR.public_key).sign(b"data")


async def test_a_signer_that_is_away_is_told_at_once_and_found_again(tmp_path: Path) -> None:
    path, folder = tmp_path / "socket", KeyFolder(tmp_path / "keys", passphrase=None)
    client = OutsideSigner(path, answer_seconds=30)
    with pytest.raises(SignerUnavailable):
        await client.create(KeyAlgorithm.ED25519)
    async with serving_signer(folder, path):
        public = await client.create(KeyAlgorithm.ED25519)
    with pytest.raises(SignerUnavailable):
        await client.signer(public).sign(b"data")
    async with serving_signer(folder, path):
        assert len(await client.signer(public).sign(b"data")) == 64
        await client.close()


@pytest.mark.parametrize("turns", [0, 1])
def test_a_signer_that_hung_up_a_moment_ago_is_connected_to_again(tmp_path: Path, turns: int) -> None:
    """On the server's own event loop, which raises RuntimeError for what is written a turn after the reset."""

    async def sign() -> int:
        folder = KeyFolder(tmp_path / "keys", passphrase=None)
        async with serving_signer(folder, tmp_path / "socket"):
            client = OutsideSigner(tmp_path / "socket", answer_seconds=30)
            signer = client.signer(await client.create(KeyAlgorithm.ED25519))
            assert client._connection is not None
            client._connection._writer.transport.abort()  # as by a reset of which nobody has heard yet
            for _ in range(turns):
                await asyncio.sleep(0)
            signature = await signer.sign(b"data")
            await client.close()
            return len(signature)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        assert runner.run(sign()) == 64


async def reads_nothing(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


def answering(answer: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            number = msgspec.json.decode(line, type=SignerRequest).id
            writer.write(answer.replace(b"ID", b"%d" % number))

    return talk


ZEROS = base64url.encode(bytes(64))


@pytest.mark.parametrize(
    "talk",
    [
        silent,
        reads_nothing,
        answering(b"nonsense\n"),
        answering(b'{"id": "ID"}\n'),
        answering(b'{"id": ID}\n'),
        answering(b'{"id": 999999, "signature": "AA"}\n'),
        answering(b'{"id": ID, "signature": "!"}\n'),
        answering(f'{{"id": ID, "signature": "{ZEROS}", "jwk": {{"kty": "OKP"}}}}\n'.encode()),
        answering(b'{"id": ID, "error": "locked", "detail": "Insert the card."}\n'),
        answering(b"x" * 5_000_000),
        answering(b'{"id": ID, "more": ' + b"[" * 100_000 + b"\n"),
    ],
    ids=[
        "silent",
        "reads nothing",
        "nonsense",
        "text id",
        "nothing",
        "another id",
        "no base64",
        "false",
        "no",
        "endless",
        "deep",
    ],
)
async def test_a_signer_that_is_slow_or_wrong_is_unavailable_in_bounded_time(tmp_path: Path, talk: Talk) -> None:
    async with listening(tmp_path / "socket", talk):
        client = OutsideSigner(tmp_path / "socket", answer_seconds=0.2)
        async with asyncio.timeout(20):
            for ask in (client.signer(PAIR.public_key).sign(b"x" * 1_000_000), client.create(KeyAlgorithm.ED25519)):
                with pytest.raises(Unavailable) as caught:
                    await ask
                assert isinstance(caught.value, SignerUnavailable)
        await client.close()


async def test_more_than_it_can_do_is_refused_at_once(tmp_path: Path) -> None:
    async with listening(tmp_path / "socket", silent):
        client = OutsideSigner(tmp_path / "socket", answer_seconds=60)
        signer = client.signer(PAIR.public_key)
        waiting = [asyncio.create_task(signer.sign(bytes(2_900_000))) for _ in range(8)]
        while client.waiting < len(waiting):
            await asyncio.sleep(0)
        async with asyncio.timeout(20):
            with pytest.raises(SignerUnavailable, match="slower"):
                await signer.sign(bytes(2_900_000))
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        await client.close()


async def test_a_signer_slower_than_its_work_gets_no_more_until_it_has_done_what_was_given_up(tmp_path: Path) -> None:
    turns: asyncio.Queue[None] = asyncio.Queue()
    received: list[int] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = keys.LocalSigner(PAIR.private_key)
        while line := await reader.readline():
            request = msgspec.json.decode(line, type=SignerRequest)
            received.append(request.id)
            turn = asyncio.create_task(turns.get())
            while not (await asyncio.wait([turn], timeout=0.1))[0]:
                writer.write(b'{"id": null}\n')  # it is not silent
            signature = base64url.encode(held.sign(base64url.decode(request.data or "")))
            writer.write(msgspec.json.encode(SignerAnswer(request.id, signature=signature)) + b"\n")

    async with listening(tmp_path / "socket", talk):
        client = OutsideSigner(tmp_path / "socket", answer_seconds=1)
        signer = client.signer(PAIR.public_key)
        early = [asyncio.create_task(signer.sign(b"early")) for _ in range(3)]
        turns.put_nowait(None)  # the first is answered in time, and the others are not
        assert len(await early[0]) == 64
        for task in early[1:]:
            with pytest.raises(SignerUnavailable, match="longer"):
                await task
        with pytest.raises(SignerUnavailable, match="slower"):
            await signer.sign(b"behind them")
        for _ in range(3):
            turns.put_nowait(None)
        while received != [1, 2, 3]:
            await asyncio.sleep(0)
        while True:
            try:
                assert len(await signer.sign(b"late")) == 64
                break
            except SignerUnavailable:  # until the last of those has been answered
                await asyncio.sleep(0)
        await client.close()


async def test_a_signer_that_has_forgotten_what_was_given_up_is_asked_anew(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = keys.LocalSigner(PAIR.private_key)
        while line := await reader.readline():
            request = msgspec.json.decode(line, type=SignerRequest)
            if request.id == 2:
                continue
            await asyncio.sleep(0.2)
            signature = base64url.encode(held.sign(base64url.decode(request.data or "")))
            writer.write(msgspec.json.encode(SignerAnswer(request.id, signature=signature)) + b"\n")

    async with listening(tmp_path / "socket", talk):
        client = OutsideSigner(tmp_path / "socket", answer_seconds=1)
        signer = client.signer(PAIR.public_key)
        first, second = [asyncio.create_task(signer.sign(data)) for data in (b"first", b"forgotten")]
        assert len(await first) == 64
        with pytest.raises(SignerUnavailable, match="longer"):
            await second
        await asyncio.sleep(1)  # nobody asks meanwhile
        assert len(await signer.sign(b"third")) == 64
        await client.close()


async def test_answers_may_come_in_any_order(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = keys.LocalSigner(PAIR.private_key)
        requests = [msgspec.json.decode(await reader.readline(), type=SignerRequest) for _ in range(5)]
        for request in reversed(requests):
            signature = base64url.encode(held.sign(base64url.decode(request.data or "")))
            writer.write(msgspec.json.encode(SignerAnswer(request.id, signature=signature)) + b"\n")
        await silent(reader, writer)

    async with listening(tmp_path / "socket", talk):
        client = OutsideSigner(tmp_path / "socket", answer_seconds=30)
        signer = client.signer(PAIR.public_key)
        for number, signature in enumerate(await asyncio.gather(*(signer.sign(b"%d" % n) for n in range(5)))):
            keys.verify(keys.load_public(PAIR.public_key), signature=signature, data=b"%d" % number)
        await client.close()
