"""API keys: who may do what."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest

from lapel.domain.access import Principal, Role, Scope, scopes_of
from lapel.domain.audit import Action
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.errors import Forbidden, InvalidInput, NotFound, Unauthorized
from lapel.services.access.api_keys import CreatedApiKey, LastOwnerKey
from lapel.services.requests import NewApiKey
from tests.unit.services.server import OWNER, Server, principal, read

LONG = "0123456789abcdef" * 4


async def create(server: Server, who: Principal = OWNER, **members: Any) -> CreatedApiKey:
    return await server.api_keys.create(who, read(NewApiKey, {"name": "ci", "role": "issuer"} | members))


async def test_a_new_key_opens_what_its_role_may(server: Server) -> None:
    created = await create(server)
    assert re.fullmatch(r"lapel_[A-Za-z0-9_-]{43}", created.secret)
    who = await server.api_keys.authenticate(created.secret)
    assert who == Principal(DEFAULT_ORGANISATION_ID, f"api-key:{created.key.id}", Role.ISSUER, who.scopes)
    assert who.scopes == {Scope.READ, Scope.CREDENTIALS_ISSUE, Scope.CREDENTIALS_STATUS}


async def test_the_secret_is_stored_nowhere_and_shown_in_no_log(server: Server) -> None:
    created = await create(server)
    assert created.secret not in repr(created)
    assert created.secret.encode() not in created.key.digest
    assert created.secret not in repr((await server.api_keys.page(OWNER)).items)


async def test_a_revoked_key_opens_nothing_at_once(server: Server) -> None:
    created = await create(server)
    revoked = await server.api_keys.revoke(OWNER, created.key.id)
    assert revoked.revoked_at == server.now
    with pytest.raises(Unauthorized):
        await server.api_keys.authenticate(created.secret)


async def test_an_expired_key_opens_nothing(server: Server) -> None:
    created = await create(server, expiresAt="2026-06-01T13:00:00Z")
    assert await server.api_keys.authenticate(created.secret)
    server.now += timedelta(hours=1)
    with pytest.raises(Unauthorized):
        await server.api_keys.authenticate(created.secret)


@pytest.mark.parametrize("secret", ["", "lapel_", "\ud800", "x" * 100_000])
async def test_what_is_no_key_opens_nothing(server: Server, secret: str) -> None:
    with pytest.raises(Unauthorized):
        await server.api_keys.authenticate(secret)


async def test_a_key_may_have_fewer_scopes_than_its_role(server: Server) -> None:
    created = await create(server, scopes=["read"])
    assert created.key.scopes == (Scope.READ,)


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"scopes": ["keys:admin"]}, "/scopes"),
        ({"scopes": []}, "/scopes"),
        ({"expiresAt": "2026-01-01T00:00:00Z"}, "/expiresAt"),
        ({"expiresAt": "2027-01-01T00:00:00"}, "/expiresAt"),
    ],
)
async def test_problems_are_pointed_at(server: Server, members: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await create(server, **members)
    assert [error.pointer for error in caught.value.errors] == [pointer]


async def test_nobody_makes_a_key_that_may_more_than_his_own(server: Server) -> None:
    limited = Principal(DEFAULT_ORGANISATION_ID, "api-key:limited", Role.ADMIN, frozenset({Scope.KEYS_ADMIN}))
    with pytest.raises(Forbidden):
        await create(server, limited)
    with pytest.raises(Forbidden):
        await create(server, principal(Role.ADMIN), role="owner")
    with pytest.raises(Forbidden):
        await create(server, principal(Role.ISSUER))


async def test_what_reaches_beyond_an_organisation_is_for_owners_of_the_operators(server: Server) -> None:
    assert Scope.ORGANISATIONS_ADMIN in (await create(server, role="owner")).key.scopes
    stranger = await server.stranger()
    assert Scope.ORGANISATIONS_ADMIN not in (await create(server, stranger, role="owner")).key.scopes
    with pytest.raises(InvalidInput):
        await create(server, stranger, role="owner", scopes=["organisations:admin"])
    with pytest.raises(InvalidInput):
        await create(server, role="admin", scopes=["organisations:admin"])


async def test_only_an_owner_revokes_an_owners_key(server: Server) -> None:
    await create(server, role="owner")
    created = await create(server, role="owner")
    with pytest.raises(Forbidden):
        await server.api_keys.revoke(principal(Role.ADMIN), created.key.id)
    assert (await server.api_keys.revoke(OWNER, created.key.id)).revoked_at == server.now


async def test_the_last_owners_key_that_can_be_used_stays(server: Server) -> None:
    last = await create(server, role="owner")
    await create(server, role="admin")
    await create(server, role="owner", scopes=["read"])
    expiring = await create(server, role="owner", expiresAt="2026-06-02T00:00:00Z")
    revoked = await create(server, role="owner")
    await server.api_keys.revoke(OWNER, revoked.key.id)
    server.now += timedelta(days=2)
    with pytest.raises(LastOwnerKey):
        await server.api_keys.revoke(OWNER, last.key.id)
    assert (await server.api_keys.revoke(OWNER, expiring.key.id)).revoked_at
    assert (await server.api_keys.revoke(OWNER, revoked.key.id)).revoked_at
    assert await server.api_keys.authenticate(last.secret)
    assert (await server.api_keys.revoke(OWNER, last.key.id, even_the_last=True)).revoked_at


@pytest.mark.parametrize("less", [{"scopes": ["keys:admin"]}, {"expiresAt": "2026-06-01T12:00:03Z"}])
@pytest.mark.parametrize("who", ["operator", "stranger"])
async def test_an_owners_key_that_may_less_or_ends_does_not_stand_for_the_last_one(
    server: Server, who: str, less: dict[str, Any]
) -> None:
    owner = OWNER if who == "operator" else await server.stranger()
    last = await create(server, owner, role="owner")
    lesser = await create(server, owner, role="owner", **less)
    with pytest.raises(LastOwnerKey):
        await server.api_keys.revoke(owner, last.key.id)
    assert (await server.api_keys.revoke(owner, lesser.key.id)).revoked_at
    await create(server, owner, role="owner")
    assert (await server.api_keys.revoke(owner, last.key.id)).revoked_at


async def test_a_key_is_for_an_organisation_that_there_is(server: Server) -> None:
    with pytest.raises(NotFound):
        await server.api_keys.create_for(server.new_id(), name="nobody's", role=Role.OWNER)


async def test_other_organisations_keys_are_not_there(server: Server) -> None:
    created = await create(server)
    stranger = await server.stranger()
    with pytest.raises(NotFound):
        await server.api_keys.revoke(stranger, created.key.id)
    with pytest.raises(NotFound):
        await server.api_keys.own(stranger, created.key.id)
    assert await server.api_keys.authenticate(created.secret)
    assert (await server.api_keys.page(stranger)).items == []


async def test_the_first_start_makes_one_key(server: Server) -> None:
    created = await asyncio.gather(*(server.api_keys.bootstrap() for _ in range(5)))
    (first,) = [found for found in created if found is not None]
    assert (await server.api_keys.authenticate(first.secret)).role is Role.OWNER
    assert await server.api_keys.bootstrap() is None


async def test_the_configured_admin_key_works_and_is_made_once(server: Server) -> None:
    first = await server.api_keys.ensure_admin(LONG)
    assert await server.api_keys.ensure_admin(LONG) == first
    assert (await server.api_keys.authenticate(LONG)).role is Role.ADMIN
    assert await server.api_keys.bootstrap() is None


async def test_an_earlier_versions_admin_key_gets_the_scopes_that_are_new(server: Server) -> None:
    first = await server.api_keys.ensure_admin(LONG)
    async with server.database.transaction() as tx:
        fewer = await tx.api_keys.set_scopes(first.id, [Scope.READ])
    assert fewer.scopes == (Scope.READ,)

    assert await server.api_keys.ensure_admin(LONG) == first
    assert (await server.api_keys.authenticate(LONG)).scopes == scopes_of(Role.ADMIN, DEFAULT_ORGANISATION_ID)
    entries = await server.database.read().audit_log.page(DEFAULT_ORGANISATION_ID, before=None, limit=1)
    assert [(entry.action, entry.entity_id) for entry in entries] == [(Action.API_KEY_CHANGED, first.id)]


async def test_a_key_of_another_name_that_is_set_as_the_admin_key_stays_as_it_is(server: Server) -> None:
    mine = await create(server, role="viewer")
    assert await server.api_keys.ensure_admin(mine.secret) == mine.key


async def test_another_admin_key_takes_the_place_of_the_one_before(server: Server) -> None:
    other, mine = "fedcba9876543210" * 4, await create(server)
    await server.api_keys.ensure_admin(LONG)
    await server.api_keys.ensure_admin(other)

    assert await server.api_keys.authenticate(other)
    assert await server.api_keys.authenticate(mine.secret)
    with pytest.raises(Unauthorized):
        await server.api_keys.authenticate(LONG)
    with pytest.raises(InvalidInput, match="revoked"):
        await server.api_keys.ensure_admin(LONG)
    assert await server.api_keys.authenticate(other)


async def test_the_admin_keys_name_is_nobody_elses(server: Server) -> None:
    with pytest.raises(InvalidInput):
        await create(server, name="LAPEL_ADMIN_KEY")
    with pytest.raises(InvalidInput):
        await server.api_keys.create_for(DEFAULT_ORGANISATION_ID, name="LAPEL_ADMIN_KEY", role=Role.VIEWER)


async def test_a_short_admin_key_is_refused(server: Server) -> None:
    with pytest.raises(InvalidInput):
        await server.api_keys.ensure_admin("admin")


async def test_the_command_line_makes_keys_without_one(server: Server) -> None:
    created = await server.api_keys.create_for(DEFAULT_ORGANISATION_ID, name="cli", role=Role.VIEWER)
    assert (await server.api_keys.page(OWNER)).items == [created.key]
    assert (await server.api_keys.authenticate(created.secret)).role is Role.VIEWER
