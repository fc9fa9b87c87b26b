"""HTTP: hosting and issuing, on both databases, beside what the same stack can do at best.

    python -m benchmarks.http [--seconds 10] [--rounds 5]

Every credential is really signed and committed with full durability. One core serves, another makes the load. Numbers
are ratios, because machines differ and the same machine differs from minute to minute: what is compared takes turns in
short rounds, and the figures are medians, the ratio that of the rounds' own ratios (with the least and the most).
"""

from __future__ import annotations

import argparse
import itertools
import secrets
import tempfile
import urllib.request
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TypeAlias

from benchmarks.load import Load, LoadResult, request_bytes, run_load
from benchmarks.servers import ADMIN_KEY, call, constant_server, lapel_server
from benchmarks.signing import signing_rate
from tests.support.postgres_server import PostgresServer

_HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"}
_RECIPIENTS = 5_000
_KEYED = 60_000
"""More than are sent while one load lasts: each key is sent once."""
_IN_BATCH = 100
_BATCHES_AT_ONCE = 8


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each load lasts in all")
    parser.add_argument("--rounds", type=int, default=5, help="how often each takes its turn")
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        _measure("SQLite", {"SQLITE_FILE": str(Path(folder) / "lapel.sqlite")}, options)
    with PostgresServer.temporary() as postgres:
        for name, workers in (("PostgreSQL", 1), ("PostgreSQL, 2 workers", 2)):
            settings = {"LAPEL_MASTER_KEY": secrets.token_hex(32), "LAPEL_WORKERS": str(workers)}
            _measure(name, {"DATABASE_URL": postgres.create_database(), **settings}, options)


def _measure(name: str, environment: dict[str, str], options: argparse.Namespace) -> None:
    with lapel_server(environment) as url:
        issuer = call(f"{url}/v3/issuers", {"name": "Harbour University", "email": "badges@harbour.example"})
        achievement = call(
            f"{url}/v3/achievements",
            {
                "issuer": issuer["id"],
                "name": "Night Sailing",
                "description": "Sails safely by night.",
                "criteria": {"narrative": "Three nights at the helm, and an examination."},
            },
        )
        bodies = (
            f'{{"achievement":"{achievement["id"]}","recipient":{{"type":"email","identity":"s{n}@example.org"}}}}'
            for n in itertools.count()
        )
        single = [_post(f"{url}/v3/credentials", next(bodies)) for _ in range(_RECIPIENTS)]
        batch = [
            _post(f"{url}/v3/credentials/batch", f"[{','.join(itertools.islice(bodies, _IN_BATCH))}]")
            for _ in range(_RECIPIENTS // _IN_BATCH)
        ]

        def sign() -> LoadResult:
            return LoadResult(signing_rate(options.seconds / options.rounds), {}, 0, 0)

        def post() -> LoadResult:
            return _load(url, single, options, status=201)

        def post_keyed() -> LoadResult:
            keys = (f'"{uuid.uuid4()}"' for _ in range(_KEYED // options.rounds))
            keyed = [_post(f"{url}/v3/credentials", next(bodies), {"Idempotency-Key": key}) for key in keys]
            return _load(url, keyed, options, status=201)

        def post_batches() -> LoadResult:
            result = _load(url, batch, options, status=201, connections=_BATCHES_AT_ONCE)
            return replace(result, per_second=result.per_second * _IN_BATCH)

        posted = _in_turn(post, sign, options)
        keyed = _in_turn(post_keyed, post, options)
        batches = _in_turn(post_batches, sign, options)
        page = call(f"{url}/v3/credentials?limit=100")
        items = page["items"]
        assert isinstance(items, list)
        addresses = [str(item["id"]) for item in items]
        size = len(urllib.request.urlopen(addresses[0]).read())
        gets = [request_bytes("GET", address) for address in addresses]
        with constant_server(size) as constant:
            constants = [request_bytes("GET", f"{constant}/constant")]
            read = _in_turn(
                lambda: _load(url, gets, options, status=200),
                lambda: _load(constant, constants, options, status=200),
                options,
            )
    print(f"{f'{name}: signing in process, one core':52}{median(beside.per_second for _, beside in posted):10,.0f}/s")
    _print(f"{name}: GET a hosted credential", read, "of constant bytes")
    _print(f"{name}: POST an issue, durable", posted, "of signing")
    _print(f"{name}: POST with an Idempotency-Key", keyed, "of that without")
    _print(f"{name}: POST batches of {_IN_BATCH}, in credentials", batches, "of signing")


_Pairs: TypeAlias = Sequence[tuple[LoadResult, LoadResult]]
"""What is measured, and what it is held against, within seconds of one another."""


def _in_turn(
    measured: Callable[[], LoadResult], beside: Callable[[], LoadResult], options: argparse.Namespace
) -> _Pairs:
    return [(measured(), beside()) for _ in range(options.rounds)]


def _post(url: str, body: str, headers: Mapping[str, str] | None = None) -> bytes:
    return request_bytes("POST", url, headers={**_HEADERS, **(headers or {})}, body=body.encode())


def _load(
    url: str, requests: list[bytes], options: argparse.Namespace, *, status: int, connections: int | None = None
) -> LoadResult:
    host, port = url.removeprefix("http://").split(":")
    result = run_load(
        Load(
            host=host,
            port=int(port),
            requests=requests,
            connections=connections or options.connections,
            seconds=options.seconds / options.rounds,
        )
    )
    if set(result.statuses) != {status}:
        raise SystemExit(f"expected only {status}, got {result.statuses}")
    return result


def _print(what: str, pairs: _Pairs, beside: str) -> None:
    results = [result for result, _ in pairs]
    ratios = [result.per_second / other.per_second for result, other in pairs]
    print(
        f"{what:52}{median(each.per_second for each in results):10,.0f}/s"
        f"   median {median(each.median_ms for each in results):6.2f} ms,"
        f" p99 {median(each.p99_ms for each in results):7.2f} ms"
        f"{median(ratios):8.0%} {beside} ({min(ratios):.0%} to {max(ratios):.0%})"
    )


if __name__ == "__main__":
    main()
