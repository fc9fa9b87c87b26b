"""PostgreSQL taken away from a server under load, in every way, and given back: the server finds it again by itself."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial

import pytest

from tests.faults.conftest import Tell
from tests.faults.outages import BOUND_SECONDS, POOL, Outage, check_answers, happens, turns, writes_go_on
from tests.support.load import Load
from tests.support.readiness import Readiness

pytestmark = pytest.mark.alone  # how soon, or in which order, things happen is the promise

_BESIDE_THE_POOL = 2
"""Sessions for health, and for what may have changed."""


async def test_losing_postgresql_is_survived_without_a_restart(outage: Outage, cycles: int, tell: Tell) -> None:
    site = outage.site
    load = Load(site.port, await site.achievement())
    red: list[float] = []
    green: list[float] = []
    with site.server() as server, Readiness.watched(site.port) as readiness, load.running():
        for _ in range(cycles):
            await writes_go_on(load, since=time.monotonic())
            await outage.begin()
            try:
                broken_at = time.monotonic()
                red.append(await turns(readiness, False, since=broken_at))
                await happens(partial(load.since, broken_at), within=BOUND_SECONDS)
                assert not [answer for answer in load.since(broken_at) if answer.status in (200, 201)]
            finally:
                await outage.end()
            mended_at = time.monotonic()
            green.append(await turns(readiness, True, since=mended_at))
            await writes_go_on(load, since=mended_at)
        assert server.poll() is None
        load.end()
        await happens(lambda: site.measured("pool_in_use") == 0 == site.measured("open_transactions"), within=20)
        if outage.kind != "silent":  # which PostgreSQL cannot know of
            assert len(await outage.sessions()) <= site.workers * (POOL + _BESIDE_THE_POOL)
    check_answers(load)
    await outage.come_to_rest()
    found = await site.audit(load, everything=cycles > 1)
    slowest = max(answer.seconds for answer in load.answers)
    codes = dict(Counter(answer.code for answer in load.refused))
    tell(
        f"{cycles} times; {found}; red within {max(red):.2f} s, green within {max(green):.2f} s;"
        f" slowest answer {slowest:.1f} s; {codes}"
    )
    assert max(red) < 2.0


@pytest.mark.parametrize("outage", ["none"], indirect=True)
async def test_sessions_that_postgresql_ends_are_replaced(outage: Outage, cycles: int, tell: Tell) -> None:
    site = outage.site
    load = Load(site.port, await site.achievement())
    ended = 0
    with site.server() as server:
        with load.running():
            for _ in range(3 * cycles):
                await writes_go_on(load, since=time.monotonic())
                ended += await outage.end_sessions()
            await writes_go_on(load, since=time.monotonic())
        assert server.poll() is None
        assert site.ready()
        await outage.come_to_rest()
    check_answers(load)
    found = await site.audit(load, everything=cycles > 1)
    tell(f"{ended} sessions ended; {found}; {dict(Counter(answer.code for answer in load.refused))}")
