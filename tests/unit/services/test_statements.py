"""What many objects are looked up for costs as many statements as one: on a server, each takes a journey to it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lapel.database.interface import Database
from lapel.domain.credential import CredentialStatus
from lapel.services.issuing.named_achievements import deleted_meanwhile
from lapel.services.requests import NewEndorsement, NewStatuses
from tests.unit.services.server import OWNER, Server, read


@pytest.fixture
def server(database: Database) -> Server:
    """On each database, and with nothing in its cache."""
    return Server(database)


def statements(server: Server, table: str) -> list[int]:
    """How many have looked for one row of the table by its id, and how many for several."""
    return [server.database.metrics.count(f"{table}.{name}") for name in ("find", "find_many")]


async def test_of_the_issuers_in_the_key_set(server: Server) -> None:
    for number in range(5):
        await server.issuer(name=f"Issuer {number}")
    one_by_one, _ = statements(server, "issuers")

    jwks: Any = await server.issuers.jwks()

    assert len(jwks["keys"]) == 5
    assert statements(server, "issuers") == [one_by_one, 1]


async def test_of_the_status_lists_of_credentials_that_are_suspended(server: Server) -> None:
    ids = []
    for number in range(3):
        issuer = await server.issuer(name=f"Issuer {number}")
        achievement = await server.achievement(issuer=str(issuer.id), suspendable=True)
        ids.append(str((await server.issue(achievement=str(achievement.id))).id))

    await server.many_statuses.change(OWNER, read(NewStatuses, {"ids": ids, "status": CredentialStatus.SUSPENDED}))

    assert statements(server, "status_lists") == [0, 1]


async def test_of_the_endorsements_in_an_open_badge_2(server: Server) -> None:
    issuer = await server.issuer()
    achievement = await server.achievement()
    address = server.addresses.achievement(achievement.id)
    request = read(NewEndorsement, {"issuer": str(issuer.id), "endorsed": address, "comment": "Good"})
    endorsements = [await server.endorsing.issue(OWNER, request) for _ in range(3)]
    badge = await server.issue(
        achievement=str(achievement.id), endorsement=[json.loads(one.signed) for one in endorsements]
    )
    one_by_one, _ = statements(server, "credentials")

    assertion: Any = await server.renditions.v2_assertion(badge.id)

    assert assertion["endorsement"] == [server.addresses.v2_assertion(one.id) for one in endorsements]
    assert statements(server, "credentials") == [one_by_one + 1, 1]  # the one is the badge


async def test_of_the_achievements_that_may_have_been_deleted(server: Server) -> None:
    await server.issuer()
    named = {f"/{number}": await server.achievement(name=f"Knot {number}") for number in range(3)}
    await server.achievements.delete(OWNER, named["/1"].id)
    one_by_one, _ = statements(server, "achievements")

    deleted = await deleted_meanwhile(server.database, named)

    assert list(deleted) == ["/1"]
    assert statements(server, "achievements") == [one_by_one, 1]
