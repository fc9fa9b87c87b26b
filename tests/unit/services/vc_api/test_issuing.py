"""What the VC API's issuer owes to a standby, which no live server of one database shows."""

from __future__ import annotations

import threading

import pytest

from lapel.domain.addresses import Addresses
from lapel.domain.json import JsonObject
from lapel.errors import InvalidInput, Unavailable
from lapel.openbadges.v3 import CONTEXTS
from lapel.services.vc_api.issuing import UNNAMED, AlreadyIssued
from tests.unit.services.server import OWNER, Server


async def test_nothing_is_told_as_issued_before_that_is_safe(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read may be there by a commit that a fail-over would still take back."""
    issuing = server.vc_issuing
    await server.issuer()
    credential: JsonObject = {
        "@context": [CONTEXTS[0]],
        "type": ["VerifiableCredential"],
        "credentialSubject": {"id": "did:example:a"},
    }
    body: JsonObject = {"credential": credential, "options": {"credentialId": "https://coordinator.example/42"}}
    await issuing.issue(OWNER, body)
    with pytest.raises(AlreadyIssued):
        await issuing.issue(OWNER, body)

    async def untold() -> None:
        raise Unavailable("What can be read may be lost.")

    monkeypatch.setattr(server.database, "make_durable", untold)

    with pytest.raises(Unavailable, match="may be lost"):
        await issuing.issue(OWNER, body)


@pytest.mark.parametrize("own_id", ["https://b.example/1", "did:example:its-own"])
async def test_what_is_about_nobody_by_name_is_found_by_its_own_id(server: Server, own_id: str) -> None:
    await server.issuer()
    credential: JsonObject = {
        "@context": [CONTEXTS[0]],
        "id": own_id,
        "type": ["VerifiableCredential"],
        "credentialSubject": {"description": "whoever has it"},
    }

    issued = await server.vc_issuing.issue(OWNER, {"credential": credential})

    assert issued.recipient_type == UNNAMED
    assert issued.recipient_lookup == server.credentials.recipient_lookup(own_id)


async def test_a_credential_with_many_addresses_is_looked_at_apart(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To tell of each whether it leads here takes a second for tens of thousands."""
    threads: set[int] = set()
    is_own_url = Addresses.is_own_url

    def noted(self: Addresses, text: str) -> bool:
        threads.add(threading.get_ident())
        return is_own_url(self, text)

    monkeypatch.setattr(Addresses, "is_own_url", noted)
    await server.issuer()
    named: JsonObject = {"id": "did:example:a", "achievement": [f"https://b.example/{n}" for n in range(3_000)]}
    credential: JsonObject = {
        "@context": [CONTEXTS[0]],
        "type": ["VerifiableCredential"],
        "credentialSubject": named,
    }

    with pytest.raises(InvalidInput, match="more than 1,000"):
        await server.vc_issuing.issue(OWNER, {"credential": credential})
    assert threads
    assert threading.get_ident() not in threads
