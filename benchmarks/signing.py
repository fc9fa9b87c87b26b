"""Signing in one process, on one core, with nothing stored and nothing sent: credentials as the server makes them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from lapel.bootstrap import build
from lapel.config import load_settings
from lapel.credentials.constant_parts import SplitDocument, constant_part
from lapel.domain.access import Principal, Role, Scope
from lapel.domain.credential import CredentialFormat
from lapel.domain.identifiers import uuid7_source
from lapel.domain.issuer import Issuer
from lapel.domain.json import JsonObject
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.openbadges import v3
from lapel.openbadges.shapes import Criteria
from lapel.services.keys.key_ring import KeyRing
from lapel.services.requests import NewAchievement, NewCredential, NewIssuer, RecipientInput
from lapel.services.securing import Securing, Unsigned
from lapel.serving.server_process import tune_interpreter

__all__ = ["Signing", "signing", "signing_rate"]

_DOCUMENTS = 500
_WARM_UP = 50


@dataclass(frozen=True)
class Signing:
    """The server's signer, and credentials of one achievement for it.

    Attributes:
        documents: complete but for their proofs, each for another recipient; issuer and achievement are prepared.
    """

    documents: Sequence[SplitDocument]
    issuer: Issuer
    securing: Securing

    async def sign(self, number: int) -> bytes:
        """A built document in, signed bytes out (eddsa-rdfc-2022); issuer and achievement were prepared once."""
        return await self._secure(self.documents[number % len(self.documents)])

    async def sign_whole(self, number: int) -> bytes:
        """The same with nothing prepared, as for a badge that is the only one of its achievement."""
        return await self._secure(SplitDocument(self.documents[number % len(self.documents)].whole()))

    async def _secure(self, document: SplitDocument) -> bytes:
        return await self.securing.secure(Unsigned(document, self.issuer, CredentialFormat.EDDSA_RDFC_2022))


@asynccontextmanager
async def signing() -> AsyncIterator[Signing]:
    """An issuer, an achievement, its credentials and a signer, on a database in memory."""
    settings = load_settings({"SQLITE_FILE": ":memory:"})
    async with build(settings) as application:
        await application.database.connect()
        await application.database.migrate()
        services = application.services
        new_id = uuid7_source()
        everything = Principal(DEFAULT_ORGANISATION_ID, "benchmark", Role.OWNER, frozenset(Scope))
        issuer = await services.issuers.create(
            everything, NewIssuer(name="Harbour University", url="https://harbour.example", email="b@harbour.example")
        )
        key_ring = KeyRing(
            store=application.database, master_key=application.master_key.key, clock=services.clock, new_id=new_id
        )
        securing = Securing(key_ring=key_ring, addresses=services.addresses, clock=services.clock)
        achievement = await services.achievements.create(
            everything,
            NewAchievement(
                issuer=str(issuer.id),
                name="Night Sailing",
                description="Sails safely by night.",
                criteria=Criteria(narrative="Three nights at the helm, and an examination."),
            ),
        )
        documents: list[JsonObject] = []
        for number in range(_DOCUMENTS):
            recipient = RecipientInput(type="email", identity=f"sailor{number}@example.org")
            request = NewCredential(achievement=str(achievement.id), recipient=recipient)
            credential = await services.issuing.issue(everything, request)
            document = json.loads(credential.signed)
            del document["proof"]
            documents.append(document)
        parts = (
            constant_part(document["issuer"], contexts=v3.CONTEXTS, label="i"),
            constant_part(document["credentialSubject"]["achievement"], contexts=v3.CONTEXTS, label="a"),
        )
        issuer_part, achievement_part = parts
        reduced = [SplitDocument.of(each, issuer=issuer_part, achievement=achievement_part) for each in documents]
        yield Signing(reduced, issuer, securing)


def signing_rate(seconds: float = 3.0) -> float:
    """Credentials a second, signed as the server signs them, with the garbage collector calm."""
    return asyncio.run(_measure(seconds))


async def _measure(seconds: float) -> float:
    async with signing() as bench:
        for number in range(_WARM_UP):
            await bench.sign(number)
        tune_interpreter()
        signed, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            await bench.sign(signed)
            signed += 1
        return signed / (time.perf_counter() - started)
