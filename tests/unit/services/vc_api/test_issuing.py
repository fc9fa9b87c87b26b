"""What the VC API's issuer owes to a standby, which no live server of one database shows."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from lapel.domain.addresses import Addresses
from lapel.domain.json import JsonObject
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
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


def about(*subjects: str, **context: str) -> JsonObject:
    """A body that wants a credential issued about these subjects."""
    credential: JsonObject = {
        "@context": [CONTEXTS[0], context] if context else [CONTEXTS[0]],
        "type": ["VerifiableCredential"],
        "credentialSubject": [{"id": subject, "description": "did that well"} for subject in subjects],
    }
    return {"credential": credential}


async def test_what_is_about_a_credential_of_this_server_is_erased_with_it(server: Server) -> None:
    ada = await server.badge()
    address = server.addresses.credential(ada.id)
    about_ada = await server.vc_issuing.issue(OWNER, about(address))

    assert set(await server.erasing.erase_credential(OWNER, ada.id)) == {ada.id, about_ada.id}
    with pytest.raises(InvalidInput, match="not the id of anything here that can be endorsed"):
        await server.vc_issuing.issue(OWNER, about(address))


async def test_where_erasing_would_miss_it_a_credential_is_about_no_other_credential(server: Server) -> None:
    ada = await server.badge()
    grace = await server.issue(achievement=str(ada.achievement_id))
    address = server.addresses.credential(ada.id)
    collection = address.rpartition("/")[0]
    others = [
        about(f"{collection}/{str(ada.id).upper()}"),
        about(f"{collection}/urn:uuid:{ada.id}"),
        about(address.replace("http", "HTTP", 1)),
        about(f"{address}#claim"),
        about(server.addresses.v2_assertion(ada.id)),
        about("did:example:a", address),
        about(address, server.addresses.credential(grace.id)),
        about(f"here:{ada.id}", here=f"{collection}/"),
        about("who:ada", who="did:example:"),
    ]
    for body in others:
        with pytest.raises(InvalidInput, match="/credentialSubject/id"):
            await server.vc_issuing.issue(OWNER, body)


async def test_what_is_erased_while_something_about_it_is_signed_is_not_endorsed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await server.badge()
    secure = server.securing.secure_foreign

    async def secured_late(*given: Any, **named: Any) -> bytes:
        await server.erasing.erase_credential(OWNER, ada.id)
        return await secure(*given, **named)

    monkeypatch.setattr(server.securing, "secure_foreign", secured_late)
    with pytest.raises(InvalidInput, match="not the id of anything here that can be endorsed"):
        await server.vc_issuing.issue(OWNER, about(server.addresses.credential(ada.id)))
    left = await server.database.read().credentials.page(DEFAULT_ORGANISATION_ID, before=None, limit=9)
    assert [one.id for one in left] == [ada.id]


async def test_a_credential_with_many_addresses_is_looked_at_apart(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To tell of each whether it leads here takes a second for tens of thousands."""
    threads: set[int] = set()
    is_own_url = Addresses.is_own_url

    def noted(self: Addresses, text: str, **more: str) -> bool:
        threads.add(threading.get_ident())
        return is_own_url(self, text, **more)

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
