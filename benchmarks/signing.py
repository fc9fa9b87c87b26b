"""How many credentials one process signs in a second, on one core, with nothing stored and nothing sent."""

from __future__ import annotations

import asyncio
import json
import time

from lapel.bootstrap import build
from lapel.cli.server_process import settle
from lapel.config import load_settings
from lapel.credentials.constant_parts import ConstantPart, Reduced, constant_part
from lapel.domain.access import Principal, Role, Scope
from lapel.domain.credential import CredentialFormat
from lapel.domain.identifiers import uuid7_source
from lapel.domain.json import JsonObject
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.openbadges import v3
from lapel.openbadges.shapes import Criteria
from lapel.services.key_ring import KeyRing
from lapel.services.requests import NewAchievement, NewCredential, NewIssuer, RecipientInput
from lapel.services.securing import Securing

__all__ = ["signing_rate"]

_DOCUMENTS = 500
_WARM_UP = 50


def signing_rate(seconds: float = 3.0) -> float:
    """Credentials a second: a built document in, signed bytes out (eddsa-rdfc-2022).

    They are signed as the server signs them: issuer and achievement prepared once for all, the garbage collector calm.
    """
    return asyncio.run(_measure(seconds))


async def _measure(seconds: float) -> float:
    settings = load_settings({"SQLITE_FILE": ":memory:"})
    async with build(settings) as application:
        await application.database.connect()
        await application.database.migrate()
        services = application.services
        new_id = uuid7_source()
        everything = Principal(DEFAULT_ORGANISATION_ID, new_id(), Role.OWNER, frozenset(Scope))
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
        documents: list[tuple[JsonObject, Reduced]] = []
        parts: list[ConstantPart] = []
        for number in range(_DOCUMENTS):
            recipient = RecipientInput(type="email", identity=f"sailor{number}@example.org")
            request = NewCredential(achievement=str(achievement.id), recipient=recipient)
            credential = await services.issuing.issue(everything, request)
            document = json.loads(credential.signed)
            del document["proof"]
            constant = {"i": document["issuer"], "a": document["credentialSubject"]["achievement"]}
            parts = parts or [
                constant_part(wire, contexts=v3.CONTEXTS, label=label) for label, wire in constant.items()
            ]
            documents.append((document, Reduced.of(document, issuer=parts[0], achievement=parts[1])))

        async def sign(number: int) -> None:
            document, reduced = documents[number % _DOCUMENTS]
            await securing.secure(document, issuer=issuer, format=CredentialFormat.EDDSA_RDFC_2022, reduced=reduced)

        for number in range(_WARM_UP):
            await sign(number)
        settle()
        signed, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            await sign(signed)
            signed += 1
        return signed / (time.perf_counter() - started)
