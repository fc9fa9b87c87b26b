"""A server that is told to end while it has work: it answers what it has begun, and then it ends."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time

import pytest

from tests.faults.conftest import SERVERS, Tell
from tests.faults.outages import BOUND_SECONDS, Outage, writes_go_on
from tests.faults.site import Site
from tests.support.load import Load

pytestmark = pytest.mark.alone  # how soon, or in which order, things happen is the promise


async def told_to_end(server: subprocess.Popen[str], site: Site, load: Load) -> float:
    """End the server with SIGTERM: the seconds that it took."""
    told_at = time.monotonic()
    server.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(server.wait, 60) == 0, site.log()
    took = time.monotonic() - told_at
    assert "Traceback" not in site.log()
    assert not load.unanswered  # whoever was told that the connection closes asks nothing more on it
    return took


@pytest.mark.parametrize("site", SERVERS, indirect=True)
async def test_every_request_that_was_accepted_is_answered_before_the_end(site: Site, cycles: int, tell: Tell) -> None:
    achievement = await site.achievement()
    loads: list[Load] = []
    longest = 0.0
    for cycle in range(cycles):
        load = Load(site.port, achievement, name=f"cycle {cycle}")
        loads.append(load)
        with site.server() as server, load.running():
            await writes_go_on(load, since=time.monotonic())
            longest = max(longest, await told_to_end(server, site, load))
        assert not load.refused
    found = await site.audit(*loads, everything=cycles > 1)
    tell(f"{cycles} ends; {found}; each within {longest:.1f} s")


@pytest.mark.parametrize(
    "outage",
    ["silent", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("stopped", "frozen", "cut"))],
    indirect=True,
)
async def test_a_server_without_its_database_ends_in_time(outage: Outage, tell: Tell) -> None:
    site = outage.site
    load = Load(site.port, await site.achievement())
    with site.server() as server, load.running():
        await writes_go_on(load, since=time.monotonic())
        await outage.begin()
        try:
            took = await told_to_end(server, site, load)
        finally:
            await outage.end()
    found = await site.audit(load)
    tell(f"{found}; ended within {took:.1f} s")
    assert took < BOUND_SECONDS
