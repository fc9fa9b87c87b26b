"""`lapel serve` with several processes: one server to whoever asks, whatever becomes of one of them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.site import Site
from tests.support.connections import administer
from tests.support.load import Load
from tests.support.server_process import children_of, free_port, log_of, runs, serving
from tests.support.waiting import eventually


@pytest.fixture
async def site(tmp_path: Path, postgres_dsn: str) -> Site:
    return Site(tmp_path, dsn=postgres_dsn, LAPEL_WORKERS="2", LAPEL_SIGNING_PROCESS="false")


async def eventual(what: Callable[[], bool]) -> None:
    """Wait until it is so."""
    assert await asyncio.to_thread(eventually, what, within=60)


async def migrated_further(dsn: str) -> None:
    """As after an upgrade elsewhere."""
    await administer(dsn, "UPDATE alembic_version SET version_num = '9999'")


def issued_in_all(site: Site) -> float:
    """How many credentials the server says that it has issued."""
    shown = re.findall(r"^lapel_credentials_issued_total\{.*\} (\S+)$", site.metrics(), re.MULTILINE)
    return sum(map(float, shown))


def renewed(server: subprocess.Popen[str], before: list[int], *, how_many: int = 1) -> bool:
    """Whether so many of its processes have been replaced by others."""
    now = children_of(server.pid)
    return len(now) == len(before) and len(set(now) - set(before)) == how_many


def test_several_processes_are_refused_on_a_database_for_one(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port, LAPEL_WORKERS="2") as process:
        assert process.wait(60) == 1

    assert "error: unsupported: LAPEL_WORKERS is 2, but a database of type sqlite allows one process." in (
        log_of(tmp_path, port)
    )
    assert "Set LAPEL_WORKERS to 1" in log_of(tmp_path, port)
    assert not (tmp_path / "lapel.sqlite").exists()


def test_the_first_key_is_made_and_shown_once(tmp_path: Path, migrated_postgres_dsn: str) -> None:
    port = free_port()
    environment = {"DATABASE_URL": migrated_postgres_dsn, "LAPEL_MASTER_KEY": "6b1f0c9d" * 8, "LAPEL_WORKERS": "2"}
    with serving(tmp_path, port, **environment) as process:
        assert eventually(lambda: len(re.findall("Application startup complete", log_of(tmp_path, port))) == 2)
        assert len(re.findall(r"lapel_[\w-]{43}", log_of(tmp_path, port))) == 1

        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
async def test_a_process_that_ends_is_replaced_and_loses_nothing(site: Site, how: signal.Signals) -> None:
    """SIGTERM and SIGKILL come to one of them, SIGHUP to the first process, which renews all."""
    achievement = await site.achievement()
    load = Load(site.port, achievement, connections=16)
    with site.server() as server:
        before = children_of(server.pid)
        assert len(before) == 2
        with load.running():
            await eventual(lambda: len(load.issued) > 50)
            counted = issued_in_all(site)
            os.kill(server.pid if how is signal.SIGHUP else before[0], how)
            await eventual(lambda: renewed(server, before, how_many=2 if how is signal.SIGHUP else 1))
            so_far = len(load.issued)
            await eventual(lambda: len(load.issued) > so_far + 50)
        assert issued_in_all(site) >= counted
        if how is not signal.SIGKILL:  # which nobody can answer
            assert not load.unanswered
            assert not load.refused
            # One process asks the others what they have counted, and waits no longer than a second for them.
            await eventual(lambda: issued_in_all(site) == len(load.issued))
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    await site.audit(load)


async def test_processes_whose_first_one_is_gone_end_by_themselves(site: Site) -> None:
    await site.achievement()
    with site.server() as server:
        children = children_of(server.pid)
        server.kill()
        server.wait(60)
        assert eventually(lambda: not any(map(runs, children)))


async def test_a_process_that_cannot_start_is_tried_again_with_pauses(site: Site, postgres_dsn: str) -> None:
    """A newer version of the database, say: the others go on, and the log tells why this one does not."""
    await site.achievement()
    with site.server() as server:
        before = children_of(server.pid)
        await migrated_further(postgres_dsn)
        os.kill(before[0], signal.SIGKILL)

        assert eventually(lambda: site.log().count("a server process has ended and is restarted") >= 3, within=60)

        assert before[1] in children_of(server.pid)
        pauses = re.findall(r"after_seconds=(\S+)", site.log())
        assert [float(pause) for pause in pauses[:3]] == sorted(float(pause) for pause in pauses[:3])
        assert float(pauses[2]) > 0
