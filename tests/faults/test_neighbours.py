"""Other processes on the SQLite file of a server under load: a second server, commands, somebody who moves the file."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections import Counter
from functools import partial
from pathlib import Path

from lapel.cli.running import OPERATOR
from lapel.domain.access import Role
from tests.faults.conftest import Tell
from tests.faults.outages import check_answers, happens, turns, writes_go_on
from tests.faults.site import Site
from tests.support.forking import forked_lapel
from tests.support.load import Load, Request, asked
from tests.support.readiness import Readiness
from tests.support.server_process import free_port, without_settings


def lapel(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command beside the server."""
    return subprocess.run(
        [forked_lapel(), *arguments],
        env={**without_settings(), **site.environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


async def test_a_second_server_is_refused_and_commands_work_beside_a_loaded_one(tmp_path: Path, tell: Tell) -> None:
    site = Site(tmp_path)
    load = Load(site.port, await site.achievement(), connections=4)
    with site.server() as server, load.running():
        async with site.application() as application:
            key = await application.services.api_keys.create_for(
                OPERATOR.organisation_id, name="to be revoked", role=Role.ADMIN
            )
        assert await accepts(site, key.secret)
        began = time.monotonic()

        second, status = await asyncio.gather(
            asyncio.to_thread(lapel, site, "serve", "--port", str(free_port())),
            asyncio.to_thread(lapel, site, "db", "status"),
        )
        revoked = await asyncio.to_thread(lapel, site, "apikey", "revoke", str(key.key.id))
        revoked_at = time.monotonic()

        assert second.returncode == 1
        assert "database_locked" in second.stderr
        assert "Another server already runs" in second.stderr
        assert status.returncode == 0, status.stderr
        assert revoked.returncode == 0, revoked.stderr
        asked_at = time.monotonic()
        while await accepts(site, key.secret):
            assert asked_at - revoked_at < 5
            asked_at = time.monotonic()
        seen_after = asked_at - revoked_at
        await writes_go_on(load, since=time.monotonic())
        assert server.poll() is None
    assert not load.refused
    check_answers(load)
    found = await site.audit(load)
    slowest = max(answer.seconds for answer in load.since(began))
    tell(f"{found}; slowest answer meanwhile {slowest:.2f} s, revoked key refused after {seen_after:.2f} s")


async def accepts(site: Site, key: str) -> bool:
    """Whether the server still takes the key."""
    (answer,) = await asked(site.port, [Request("get", "", "GET", "/v3/issuers")], key=key)
    assert answer.status in (200, 401)
    return answer.status == 200


async def test_nothing_is_acknowledged_that_goes_to_a_file_that_is_gone(
    tmp_path: Path, cycles: int, tell: Tell
) -> None:
    site = Site(tmp_path)
    aside = tmp_path / "aside.sqlite"
    load = Load(site.port, await site.achievement())
    red: list[float] = []
    with site.server() as server, Readiness.watched(site.port) as readiness, load.running():
        for cycle in range(cycles):
            await writes_go_on(load, since=time.monotonic())
            if cycle % 2:
                (tmp_path / "other.sqlite").touch()
                os.rename(site.file, aside)
                os.rename(tmp_path / "other.sqlite", site.file)
            else:
                os.rename(site.file, aside)
            gone_at = time.monotonic()
            red.append(await turns(readiness, False, since=gone_at))
            await happens(partial(several_since, load, gone_at), within=30)
            assert not [answer for answer in load.since(gone_at) if answer.status in (200, 201)]
            os.rename(aside, site.file)
            back_at = time.monotonic()
            await turns(readiness, True, since=back_at)
            await writes_go_on(load, since=back_at)
        assert server.poll() is None
    check_answers(load)
    found = await site.audit(load, everything=cycles > 1)
    codes = dict(Counter(answer.code for answer in load.refused))
    tell(f"{cycles} times; {found}; red within {max(red):.2f} s; {codes}")
    assert set(codes) <= {"database_storage_failure", "database_outcome_unknown"}


def several_since(load: Load, moment: float) -> bool:
    return len(load.since(moment)) > 30
