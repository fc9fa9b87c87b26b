"""How many credentials one process signs in a second, on one core, with nothing stored and nothing sent."""

from __future__ import annotations

import asyncio
import json
import time

from lapel.bootstrap import build
from lapel.config import load_settings
from lapel.domain.access import Principal, Role, Scope
from lapel.domain.credential import CredentialFormat
from lapel.domain.identifiers import uuid7_source
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.openbadges.shapes import Criteria
from lapel.services.key_ring import KeyRing
from lapel.services.requests import NewAchievement, NewCredential, NewIssuer, RecipientInput
from lapel.services.securing import Securing

__all__ = ["signing_rate"]

_DOCUMENTS = 500


def signing_rate(seconds: float = 3.0) -> float:
    """Credentials a second: a built document in, signed bytes out (eddsa-rdfc-2022)."""
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
            store=application.database, master_key=application.master_key, clock=services.clock, new_id=new_id
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
        documents = []
        for number in range(_DOCUMENTS):
            recipient = RecipientInput(type="email", identity=f"sailor{number}@example.org")
            request = NewCredential(achievement=str(achievement.id), recipient=recipient)
            credential = await services.issuing.issue(everything, request)
            document = json.loads(credential.signed)
            del document["proof"]
            documents.append(document)
        for document in documents[:50]:
            await securing.secure(document, issuer=issuer, format=CredentialFormat.EDDSA_RDFC_2022)
        signed, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            document = documents[signed % _DOCUMENTS]
            await securing.secure(document, issuer=issuer, format=CredentialFormat.EDDSA_RDFC_2022)
            signed += 1
        return signed / (time.perf_counter() - started)
