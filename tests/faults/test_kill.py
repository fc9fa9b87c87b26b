"""Processes killed while they write: what was acknowledged is there, and the next start needs nobody's hand."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from tests.faults.batch_writer import IN_BATCH
from tests.faults.conftest import SERVERS, Tell
from tests.faults.site import Site, narrative_of
from tests.support.load import Load, Request, asked
from tests.support.server_process import kill, without_settings
from tests.support.waiting import eventually

REPOSITORY = Path(__file__).resolve().parents[2]


def busy(load: Load, acknowledged: int) -> bool:
    return len(load.issued) > acknowledged and len(load.revoked) > 0


def moment(cycle: int) -> int:
    """After how many acknowledged credentials to kill: another moment each time, so that of many some are amid a
    checkpoint, which one alone is not."""
    return 100 + cycle * 83 % 600


async def still_there(site: Site, load: Load) -> None:
    """Every acknowledged credential is answered by the server byte for byte, and a few verify."""
    ids = [answer.headers["location"].partition(str(site.port))[2] for answer in load.issued]
    got = await asked(site.port, [Request("get", path, "GET", path) for path in ids])
    assert [answer.body for answer in got] == [answer.body for answer in load.issued]
    revoked = {answer.request.about for answer in load.answers if answer.request.purpose == "revoke"}
    kept = [answer for answer in load.issued if answer.headers["location"] not in revoked][:5]
    reports = await asked(site.port, [Request("verify", "", "POST", "/v3/verify", answer.body) for answer in kept])
    assert all(b'"valid":true' in report.body for report in reports), reports


@pytest.mark.parametrize("site", SERVERS, indirect=True)
async def test_whatever_was_acknowledged_is_there_after_a_kill(site: Site, cycles: int, tell: Tell) -> None:
    achievement = await site.achievement()
    loads: list[Load] = []
    for cycle in range(cycles):
        load = Load(site.port, achievement, name=f"cycle {cycle}")
        with site.server() as server:
            if loads:
                await still_there(site, loads[-1])
            with load.running():
                assert await asyncio.to_thread(eventually, partial(busy, load, moment(cycle)))
                kill(server)
        assert not load.refused
        loads.append(load)
    began = time.monotonic()
    with site.server():
        ready_after = time.monotonic() - began
        await still_there(site, loads[-1])
    found = await site.audit(*loads, everything=cycles > 1)
    tell(f"{cycles} kills; {found}; ready {ready_after:.1f} s after the last")


async def test_no_batch_is_half_there_after_a_kill(site: Site, cycles: int, tell: Tell) -> None:
    achievement = await site.achievement()
    acknowledged: list[str] = []
    for cycle in range(cycles):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.faults.batch_writer", achievement, f"cycle {cycle}"],
            cwd=REPOSITORY,
            env={**without_settings(), **site.environment},
            stdout=subprocess.PIPE,
            text=True,
        ) as writer:
            assert writer.stdout is not None
            acknowledged += [writer.stdout.readline() for _ in range(8)]
            writer.kill()
            acknowledged += [line for line in writer.stdout if line.endswith("\n")]
    async with site.application() as application:
        stream = application.database.read().credentials.stream(DEFAULT_ORGANISATION_ID)
        batches = Counter([narrative_of(credential) async for credential in stream])
    assert set(batches.values()) == {IN_BATCH}
    assert {line.rstrip("\n") for line in acknowledged} <= set(batches)
    site.check_integrity()
    tell(f"{cycles} kills; {len(acknowledged)} batches acknowledged, {len(batches)} there and whole")
