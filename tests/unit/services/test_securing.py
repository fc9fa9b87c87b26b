"""Many documents signed together: beside the server, in it, and by who holds the keys."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from lapel.credentials import keys
from lapel.credentials.eddsa_rdfc_2022 import encode_proof_value
from lapel.credentials.jose import base64url
from lapel.credentials.signing.process import SigningJob, SigningProcess
from lapel.domain.credential import Credential
from lapel.domain.signing_key import KeyAlgorithm
from lapel.services.metrics.counting import SIGNED
from lapel.services.stored_outcomes import Outcome
from tests.unit.services.server import OWNER, award, running
from tests.unit.services.site import verify


class ForgetfulProcess(SigningProcess):
    """Signs every other document, and leaves the others to who asked."""

    async def sign(self, wanted: Sequence[SigningJob]) -> Sequence[str | None]:
        await asyncio.sleep(0)
        return [None if number % 2 else _proof_value(one) for number, one in enumerate(wanted)]


class WeighingProcess(SigningProcess):
    """Weighs what it is asked to sign together, and leaves it to who asked."""

    heaviest = 0

    async def sign(self, wanted: Sequence[SigningJob]) -> Sequence[str | None]:
        together = sum(part.size for one in wanted for part in one.document.parts)
        self.heaviest = max(self.heaviest, together)
        return [None] * len(wanted)


def _proof_value(one: SigningJob) -> str:
    return encode_proof_value(keys.LocalSigner(one.private_key).sign(one.options.digest + one.document.digest()))


class SlowHolder:
    """Holds keys. Each proves at once that it is held; all further signatures come when five are asked for."""

    def __init__(self) -> None:
        self._keys: dict[bytes, keys.LocalSigner] = {}
        self._proved: set[keys.LocalSigner] = set()
        self._five = asyncio.Barrier(5)

    async def create(self, algorithm: KeyAlgorithm) -> bytes:
        pair = keys.generate(algorithm)
        self._keys[pair.public_key] = keys.LocalSigner(pair.private_key)
        return pair.public_key

    def signer(self, public_key: bytes) -> SlowSigner:
        return SlowSigner(self._keys[public_key], self._proved, self._five)


class SlowSigner:
    def __init__(self, key: keys.LocalSigner, proved: set[keys.LocalSigner], five: asyncio.Barrier) -> None:
        self.algorithm = key.algorithm
        self._key = key
        self._proved = proved
        self._five = five

    async def sign(self, data: bytes) -> bytes:
        if self._key in self._proved:
            await self._five.wait()
        self._proved.add(self._key)
        return self._key.sign(data)


def narrative_in(outcome: Outcome) -> str:
    """What the request said, by which it is known again."""
    if not isinstance(outcome, Credential):
        return outcome.errors[0].pointer
    signed = outcome.signed
    document = json.loads(signed if signed[:1] == b"{" else base64url.decode(signed.decode().split(".")[1]))
    told: str = document["credentialSubject"]["narrative"]
    return told


def numbered(achievement: str, number: int, **members: Any) -> dict[str, Any]:
    return {f"/{each}": award(achievement=achievement, narrative=str(each), **members) for each in range(number)}


def signatures() -> float:
    return next(sample.value for sample in SIGNED.family().samples if sample.name.endswith("_count"))


@pytest.mark.parametrize("beside", [None, ForgetfulProcess()], ids=["here", "beside"])
async def test_each_is_answered_in_its_place_whoever_signs_it_and_counted_once(beside: SigningProcess | None) -> None:
    async with running(beside=beside) as server:
        await server.issuer(identity="did:key")
        achievement = str((await server.achievement()).id)
        requests = numbered(achievement, 130) | {
            "/3": award(achievement=achievement, narrative="3", format="vc-jwt"),
            "/60": award(achievement=achievement, narrative="60", format="vc-jwt", jwtAlgorithm="RS256"),
        }
        before = signatures()

        outcomes = await server.batches.issue_each(OWNER, requests)

        assert signatures() - before == 129
        assert [narrative_in(one) for one in outcomes] == [
            "/60/jwtAlgorithm" if number == 60 else str(number) for number in range(130)
        ]
        for one in (outcomes[3], outcomes[49], outcomes[50], outcomes[129]):
            assert isinstance(one, Credential)
            assert (await verify(server, one.signed)).valid is True


@pytest.mark.parametrize("format_", ["eddsa-rdfc-2022", "vc-jwt"])
async def test_who_holds_the_keys_is_asked_for_several_signatures_at_once(format_: str) -> None:
    async with asyncio.timeout(20), running(holder=SlowHolder(), beside=ForgetfulProcess()) as server:
        await server.issuer()
        achievement = str((await server.achievement()).id)
        outcomes = await server.batches.issue_each(OWNER, numbered(achievement, 60, format=format_))
        assert [narrative_in(one) for one in outcomes] == [str(number) for number in range(60)]


async def test_of_long_ones_few_are_signed_together() -> None:
    process = WeighingProcess()
    async with running(beside=process) as server:
        await server.issuer()
        long = await server.achievement(description="x" * 99_000, criteria={"narrative": "x" * 99_000})
        short = await server.achievement()
        requests = [*numbered(str(long.id), 60).values(), *numbered(str(short.id), 60).values()]

        outcomes = await server.issue_many(requests)

    assert [narrative_in(one) for one in outcomes] == [*map(str, range(60)), *map(str, range(60))]
    assert process.heaviest < 1024 * 1024 + 200_000
