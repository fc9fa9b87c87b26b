"""Many credentials in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from lapel.domain.access import Role
from lapel.domain.credential import Credential
from lapel.errors import Forbidden, InvalidInput, NotFound, TooLarge
from lapel.services.issuing.batches import TooManyBatches
from lapel.services.requests import NewCredential
from lapel.services.securing import Unsigned
from tests.support.work import turns_given
from tests.unit.services.full_badge import problems
from tests.unit.services.server import OWNER, Server, award, principal
from tests.unit.services.site import verify

WRONG = {"type": "email", "identity": "ada"}
TOO_LONG = [{"name": str(number), "description": "x" * 90_000} for number in range(25)]


async def awards(server: Server, number: int) -> list[NewCredential]:
    await server.issuer()
    named = str((await server.achievement()).id)
    recipients = [{"type": "email", "identity": f"ada{each}@example.org"} for each in range(number)]
    return [award(achievement=named, recipient=recipient) for recipient in recipients]


def numbered(requests: list[NewCredential]) -> dict[str, NewCredential]:
    return {f"/{number}": request for number, request in enumerate(requests)}


async def stored(server: Server) -> list[Any]:
    return list((await server.credentials.page(OWNER)).items)


async def test_a_batch_is_issued_whole(server: Server) -> None:
    credentials = await server.issue_many(await awards(server, 300))
    assert len({credential.id for credential in credentials}) == 300
    assert len({(credential.status_list_id, credential.status_index) for credential in credentials}) == 300
    assert await server.credentials.get(credentials[-1].id) == credentials[-1]
    assert (await verify(server, credentials[217].signed)).valid is True


async def test_a_batch_with_a_problem_is_not_issued_at_all(server: Server) -> None:
    (good,) = await awards(server, 1)
    requests = [good, award(achievement=good.achievement, recipient=WRONG), award(achievement="x", recipient=WRONG)]
    with pytest.raises(InvalidInput) as caught:
        await server.issue_many(requests)
    assert problems(caught) == {
        "/1/recipient/identity": "bad_identity",
        "/2/achievement": "not_found",
        "/2/recipient/identity": "bad_identity",
    }
    assert await stored(server) == []


async def test_what_shows_only_when_it_is_signed_fails_the_batch_too(server: Server) -> None:
    (good,) = await awards(server, 1)
    too_large = award(achievement=good.achievement, evidence=TOO_LONG)
    with pytest.raises(InvalidInput) as caught:
        await server.issue_many([good, too_large])
    assert problems(caught) == {"/1": "too_large"}
    assert await stored(server) == []


async def test_each_for_itself(server: Server) -> None:
    good, other = await awards(server, 2)
    requests = [good, award(achievement=good.achievement, recipient=WRONG), other]
    requests.append(award(achievement=good.achievement, evidence=TOO_LONG))
    first, wrong, last, large = await server.batches.issue_each(OWNER, numbered(requests))
    assert isinstance(wrong, InvalidInput)
    assert isinstance(large, InvalidInput)
    assert [error.pointer for error in (*wrong.errors, *large.errors)] == ["/1/recipient/identity", "/3"]
    assert {one.id for one in await stored(server)} == {one.id for one in (first, last) if isinstance(one, Credential)}


async def test_a_short_request_for_very_long_credentials_is_refused(server: Server) -> None:
    await server.issuer()
    long = await server.achievement(description="x" * 99_000, criteria={"narrative": "x" * 99_000})
    for issue in (server.batches.issue, server.batches.issue_each):
        with pytest.raises(TooLarge, match="Together"):
            await issue(OWNER, numbered([award(achievement=str(long.id))] * 180))
    assert await stored(server) == []


async def test_little_more_is_signed_of_very_long_credentials_than_may_be(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.issuer()
    long = await server.achievement(description="x" * 99_000, criteria={"narrative": "x" * 99_000})
    secure_all, made = server.securing.secure_all, list[int]()

    async def noted(unsigned: Sequence[Unsigned]) -> Sequence[bytes | InvalidInput | TooLarge]:
        secured = await secure_all(unsigned)
        made.append(sum(len(one) for one in secured if isinstance(one, bytes)))
        return secured

    monkeypatch.setattr(server.securing, "secure_all", noted)
    with pytest.raises(TooLarge, match="Together"):
        await server.issue_many([award(achievement=str(long.id))] * 300)
    assert max(made) < 2_000_000
    assert sum(made) < 40_000_000


async def test_of_one_among_many_ten_problems_are_told(server: Server) -> None:
    request = award(achievement="x", evidence=[{"id": "no address"}] * 50)
    (outcome,) = await server.batches.issue_each(OWNER, {"/0": request})
    assert isinstance(outcome, InvalidInput)
    assert len(outcome.errors) == 10


async def test_a_viewer_issues_no_batch(server: Server) -> None:
    for issue in (server.batches.issue, server.batches.issue_each):
        with pytest.raises(Forbidden):
            await issue(principal(Role.VIEWER), {})


async def test_others_get_their_turn_while_a_batch_is_made(server: Server) -> None:
    requests = await awards(server, 200)

    assert await turns_given(server.issue_many(requests)) > 2 * 200 / 32


async def test_a_batch_that_is_done_is_told_again(server: Server) -> None:
    requests = [*await awards(server, 70), award(achievement="x")]
    once = server.idempotency.request(OWNER, "key", b"fingerprint")
    outcomes = await server.batches.issue_each(OWNER, numbered(requests), once)
    done = await server.idempotency.done(once)
    assert done is not None
    again = await server.batches.done(done)
    assert list(again[:70]) == list(outcomes[:70])
    assert isinstance(again[70], InvalidInput)
    assert isinstance(outcomes[70], InvalidInput)
    assert (again[70].detail, again[70].errors) == (outcomes[70].detail, outcomes[70].errors)


async def test_what_has_been_removed_since_is_not_told_again(server: Server) -> None:
    once = server.idempotency.request(OWNER, "key", b"fingerprint")
    (outcome,) = await server.batches.done(once.with_outcome(server.new_id()))
    assert isinstance(outcome, NotFound)


async def test_a_batch_of_which_nothing_is_issued_leaves_nothing(server: Server) -> None:
    once = server.idempotency.request(OWNER, "key", b"fingerprint")
    await server.batches.issue_each(OWNER, numbered([award(achievement="x")]), once)
    assert await server.idempotency.done(once) is None


async def test_four_are_worked_on_and_sixteen_wait_and_the_next_one_comes_again(server: Server) -> None:
    going_on, inside, most = asyncio.Event(), 0, 0

    async def batch() -> None:
        nonlocal inside, most
        async with server.batches.slot():
            inside += 1
            most = max(most, inside)
            await going_on.wait()
            inside -= 1

    tasks = [asyncio.create_task(batch()) for _ in range(20)]
    await asyncio.sleep(0)
    assert inside == 4
    with pytest.raises(TooManyBatches):
        await batch()
    tasks.pop().cancel()
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(batch()))  # in the place of who went away
    await asyncio.sleep(0)
    going_on.set()
    await asyncio.gather(*tasks)
    assert (inside, most) == (0, 4)
