"""A server that is told to end while it has work: it answers what it has begun, and then it ends."""

from __future__ import annotations

import asyncio
import signal
import time

from tests.faults.conftest import Tell
from tests.faults.site import Site
from tests.support.load import Load
from tests.support.waiting import eventually


async def test_every_request_that_was_accepted_is_answered_before_the_end(site: Site, cycles: int, tell: Tell) -> None:
    achievement = await site.achievement()
    loads: list[Load] = []
    longest = 0.0
    for cycle in range(cycles):
        load = Load(site.port, achievement, name=f"cycle {cycle}")
        loads.append(load)
        with site.server() as server:
            with load.running():
                assert await asyncio.to_thread(eventually, lambda: len(loads[-1].issued) > 100)
                told_at = time.monotonic()
                server.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(server.wait, 30) == 0, site.log()
                longest = max(longest, time.monotonic() - told_at)
            assert all(answer.sent_at > told_at for answer in load.unanswered)
            assert not load.refused
            assert "Traceback" not in site.log()
    found = await site.audit(*loads, everything=cycles > 1)
    tell(f"{cycles} ends; {found}; each within {longest:.1f} s")
