"""Places and turns of large badges: however a verification ends, it leaves them to others."""

from __future__ import annotations

import asyncio
import random

import pytest

from lapel.domain.fetching import FetchTimeout
from lapel.services.verifying.large_badges import (
    LargeBadges,
    TooManyLargeBadges,
    large_document,
    waiting_for_others,
)

LARGE = 20_000


class Verifications:
    """Verifications that work and wait, and how many of them do so at a time."""

    def __init__(self) -> None:
        self.badges = LargeBadges()
        self.in_memory = self.most_in_memory = 0
        self.at_work = self.most_at_work = 0

    async def work(self, steps: int) -> None:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            for _ in range(steps):
                await asyncio.sleep(0)
        finally:
            self.at_work -= 1

    async def one(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - the same in every run
        async with self.badges.slot(chance.choice([100, LARGE])):
            await large_document(LARGE)
            self.in_memory += 1
            self.most_in_memory = max(self.most_in_memory, self.in_memory)
            try:
                for _ in range(chance.randrange(4)):
                    await self.work(chance.randrange(4))
                    async with waiting_for_others():
                        for _ in range(chance.randrange(9)):
                            await asyncio.sleep(0)
            finally:
                self.in_memory -= 1


async def test_few_are_in_memory_and_fewer_at_work_whichever_of_them_are_given_up() -> None:
    verifications, chance = Verifications(), random.Random(7)  # noqa: S311 - the same in every run
    for _ in range(30):
        tasks = [asyncio.create_task(verifications.one(chance.randrange(10**9))) for _ in range(16)]
        for _ in range(40):
            await asyncio.sleep(0)
            chance.choice(tasks).cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert outcome is None or isinstance(outcome, asyncio.CancelledError | TooManyLargeBadges)

    assert (verifications.most_in_memory, verifications.most_at_work) == (8, 4)
    async with asyncio.timeout(10), asyncio.TaskGroup() as all_places:
        inside = asyncio.Barrier(8)

        async def take_one() -> None:
            async with verifications.badges.slot(LARGE), waiting_for_others():
                await inside.wait()

        for _ in range(8):
            all_places.create_task(take_one())


async def test_a_verification_needs_one_place_whatever_it_leads_to() -> None:
    badges = LargeBadges()
    async with asyncio.timeout(10), badges.slot(LARGE):
        for _ in range(9):
            await large_document(LARGE)
            async with badges.slot(LARGE):
                pass


async def test_a_timeout_of_others_is_not_taken_for_a_want_of_room() -> None:
    badges = LargeBadges()
    async with badges.slot(LARGE):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0), waiting_for_others():
                await asyncio.Event().wait()
        with pytest.raises(FetchTimeout, match="said so"):
            async with waiting_for_others():
                raise FetchTimeout("The host said so.")
