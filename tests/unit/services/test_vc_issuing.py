"""What the VC API's issuer owes to a standby, which no live server of one database shows."""

from __future__ import annotations

import pytest

from lapel.domain.json import JsonObject
from lapel.errors import Unavailable
from lapel.openbadges.v3 import CONTEXTS
from lapel.services.vc_api.issuing import AlreadyIssued
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
