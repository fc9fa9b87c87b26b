"""Requests under an idempotency key, sent again after a kill or to several servers: each has its effect once."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.faults.conftest import Tell
from tests.faults.site import Site
from tests.support.load import Answer, Request, asked

IN_BATCH = 25


def award(achievement: str, narrative: str) -> dict[str, object]:
    recipient = {"type": "email", "identity": "somebody@example.org"}
    return {"achievement": achievement, "recipient": recipient, "narrative": narrative}


def batch(achievement: str, key: str) -> Request:
    body = [award(achievement, f"{key} {number}") for number in range(IN_BATCH)]
    return Request("batch", key, "POST", "/v3/credentials/batch", body, key)


def single(achievement: str, key: str) -> Request:
    return Request("single", key, "POST", "/v3/credentials", award(achievement, key), key)


def killing(server: subprocess.Popen[str], after: int) -> Callable[[Answer], None]:
    """Kills the server when so many requests have been answered."""
    answered = itertools.count(1)
    return lambda answer: server.kill() if answer.status and next(answered) == after else None


def told_again(first: Answer, second: Answer) -> bool:
    kept = ("location", "content-type")
    return (
        (first.status, first.body, [first.headers.get(name) for name in kept])
        == (second.status, second.body, [second.headers.get(name) for name in kept])
    ) and second.headers.get("idempotency-replayed") == "true"


async def test_what_a_kill_cut_off_is_done_once_when_it_is_sent_again(site: Site, cycles: int, tell: Tell) -> None:
    achievement = await site.achievement()
    first: list[Answer] = []
    for cycle in range(cycles):
        numbers = range(60 + 20 * (cycle % 3))
        requests = [(single if number % 2 else batch)(achievement, f"{cycle}-{number}") for number in numbers]
        with site.server() as server:
            first += await asked(site.port, requests, tell=killing(server, 10 + cycle * 7 % 45))
            server.wait()
    with site.server():
        second = await asked(site.port, [answer.request for answer in first])
    acknowledged = 0
    for before, after in zip(first, second, strict=True):
        assert after.status == 201, after
        if before.status:
            acknowledged += 1
            assert told_again(before, after), (before, after)
    unheard = sum("idempotency-replayed" in answer.headers for answer in second) - acknowledged
    found = await site.audit(everything=cycles > 1)
    assert found.stored == sum(IN_BATCH if answer.request.purpose == "batch" else 1 for answer in first)
    tell(f"{cycles} kills; {len(first)} requests, {acknowledged} acknowledged, {unheard} done unheard, none twice")


TOLD = {(201, ""), (409, "idempotency_key_in_use")}
"""What may be said to who comes again: what was done, or that it is being done."""


async def replacement(site: Site, achievement: str, key: str) -> Request:
    """Of a credential that only this one replaces."""
    (issued,) = await asked(site.port, [single(achievement, f"old-{key}")])
    path = json.loads(issued.body)["id"].partition("/v3/credentials/")[2]
    body = award(achievement, key)
    del body["achievement"]
    return Request("replace", key, "POST", f"/v3/credentials/{path}/replace", body, key)


async def test_two_servers_do_a_request_once(postgres_dsn: str, tmp_path: Path) -> None:
    sites = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        sites.append(Site(tmp_path / name, dsn=postgres_dsn, LAPEL_PUBLIC_URL="http://127.0.0.1:1"))
    achievement = await sites[0].achievement()
    kinds = (single, batch)
    requests = [kinds[number % 2](achievement, f"key-{number}") for number in range(20)]
    with sites[0].server(), sites[1].server():
        requests += [await replacement(sites[0], achievement, f"replace-{number}") for number in range(10)]
        repeated = [request for request in requests for _ in range(5)]
        told_by_each = await asyncio.gather(*(asked(site.port, repeated, connections=25) for site in sites))
    answers, done = list(itertools.chain(*told_by_each)), Counter[str]()
    for request in requests:
        told = [answer for answer in answers if answer.request is request]
        assert {(answer.status, answer.code) for answer in told} <= TOLD, told
        assert len({answer.body for answer in told if answer.status == 201}) == 1
        new = [answer for answer in told if answer.status == 201 and "idempotency-replayed" not in answer.headers]
        done[request.purpose] += len(new)
    assert done == {"single": 10, "batch": 10, "replace": 10}
    assert (await sites[0].audit()).stored == 10 + 10 * IN_BATCH + 2 * 10
