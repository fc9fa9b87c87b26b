"""Organisations: who makes them, who sees them."""

from __future__ import annotations

import pytest

from lapel.domain.access import Role
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.errors import Forbidden, InvalidInput, NotFound
from tests.unit.services.server import OWNER, Server, principal


async def test_a_new_one_has_an_owners_key_of_its_own(server: Server) -> None:
    organisation, first = await server.organisations.create(OWNER, "Riverside School")
    owner = await server.api_keys.authenticate(first.secret)
    assert (owner.organisation_id, owner.role) == (organisation.id, Role.OWNER)
    assert await server.organisations.get(owner, organisation.id) == organisation
    assert (await server.api_keys.page(owner)).items == [first.key]


async def test_an_operator_sees_and_renames_every_one(server: Server) -> None:
    organisation, _ = await server.organisations.create(OWNER, "Riverside School")
    changed = await server.organisations.change(OWNER, organisation.id, "Lakeside School")
    assert changed.name == "Lakeside School"
    assert await server.organisations.get(OWNER, organisation.id) == changed
    page = await server.organisations.page(OWNER)
    assert [one.id for one in page.items] == [organisation.id, DEFAULT_ORGANISATION_ID]
    with pytest.raises(NotFound):
        await server.organisations.change(OWNER, server.new_id(), "Nobody's")


async def test_to_everybody_else_all_others_are_the_same_as_none(server: Server) -> None:
    for who in (await server.stranger(), principal(Role.ADMIN)):
        told = []
        for wanted in (OWNER.organisation_id if who.organisation_id != OWNER.organisation_id else None, None):
            with pytest.raises(Forbidden) as caught:
                await server.organisations.get(who, wanted or server.new_id())
            told.append(caught.value.detail)
        assert told[0] == told[1]
        for forbidden in (
            server.organisations.page(who),
            server.organisations.create(who, "Mine"),
            server.organisations.change(who, who.organisation_id, "Mine"),
        ):
            with pytest.raises(Forbidden):
                await forbidden


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "a\x00b"])
async def test_a_name_says_something(server: Server, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await server.organisations.create(OWNER, name)
    assert [error.pointer for error in caught.value.errors] == ["/name"]
    assert len((await server.organisations.page(OWNER)).items) == 1
