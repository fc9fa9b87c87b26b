"""HTTP: hosting and issuing, on both databases, beside what the same stack can do at best.

    python -m benchmarks.http [--seconds 5]

Every credential is really signed and committed with full durability. One core serves, another makes the load; numbers
are ratios within this run, because machines differ and the same machine differs from minute to minute.
"""

from __future__ import annotations

import argparse
import itertools
import secrets
import tempfile
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

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
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each load lasts")
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        _measure("SQLite", {"SQLITE_FILE": str(Path(folder) / "lapel.sqlite")}, options)
    with PostgresServer.temporary() as postgres:
        for name, workers in (("PostgreSQL", 1), ("PostgreSQL, 2 workers", 2)):
            settings = {"LAPEL_MASTER_KEY": secrets.token_hex(32), "LAPEL_WORKERS": str(workers)}
            _measure(name, {"DATABASE_URL": postgres.create_database(), **settings}, options)


def _measure(name: str, environment: dict[str, str], options: argparse.Namespace) -> None:
    signing_before = signing_rate()
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
        requests = [_post(f"{url}/v3/credentials", next(bodies)) for _ in range(_RECIPIENTS)]
        issued = _load(url, requests, options)
        _expect(issued, 201)
        requests = [
            _post(f"{url}/v3/credentials", next(bodies), {"Idempotency-Key": f'"{uuid.uuid4()}"'})
            for _ in range(_KEYED)
        ]
        keyed = _load(url, requests, options)
        _expect(keyed, 201)
        requests = [
            _post(f"{url}/v3/credentials/batch", f"[{','.join(itertools.islice(bodies, _IN_BATCH))}]")
            for _ in range(_RECIPIENTS // _IN_BATCH)
        ]
        batches = _load(url, requests, options, connections=_BATCHES_AT_ONCE)
        _expect(batches, 201)
        page = call(f"{url}/v3/credentials?limit=100")
        items = page["items"]
        assert isinstance(items, list)
        addresses = [str(item["id"]) for item in items]
        read = _load(url, [request_bytes("GET", address) for address in addresses], options)
        _expect(read, 200)
        size = len(urllib.request.urlopen(addresses[0]).read())
    signing = (signing_before + signing_rate()) / 2
    with constant_server(size) as constant:
        ceiling = _load(constant, [request_bytes("GET", f"{constant}/constant")], options)
        _expect(ceiling, 200)
    print(f"{f'{name}: signing in process, one core':52}{signing:10,.0f}/s")
    _print(f"{name}: constant bytes, the ceiling of GET", ceiling, None)
    _print(f"{name}: GET a hosted credential", read, ("of the ceiling", read.per_second / ceiling.per_second))
    _print(f"{name}: POST an issue, durable", issued, ("of signing", issued.per_second / signing))
    _print(f"{name}: POST with an Idempotency-Key", keyed, ("of that without", keyed.per_second / issued.per_second))
    _print(
        f"{name}: POST batches of {_IN_BATCH}, in credentials",
        replace(batches, per_second=batches.per_second * _IN_BATCH),
        ("of signing", batches.per_second * _IN_BATCH / signing),
    )


def _post(url: str, body: str, headers: Mapping[str, str] | None = None) -> bytes:
    return request_bytes("POST", url, headers={**_HEADERS, **(headers or {})}, body=body.encode())


def _load(
    url: str, requests: list[bytes], options: argparse.Namespace, *, connections: int | None = None
) -> LoadResult:
    host, port = url.removeprefix("http://").split(":")
    return run_load(
        Load(
            host=host,
            port=int(port),
            requests=requests,
            connections=connections or options.connections,
            seconds=options.seconds,
        )
    )


def _expect(result: LoadResult, status: int) -> None:
    if set(result.statuses) != {status}:
        raise SystemExit(f"expected only {status}, got {result.statuses}")


def _print(what: str, result: LoadResult, ratio: tuple[str, float] | None) -> None:
    share = f"{ratio[1]:8.0%} {ratio[0]}" if ratio else ""
    print(
        f"{what:52}{result.per_second:10,.0f}/s   median {result.median_ms:6.2f} ms, p99 {result.p99_ms:7.2f} ms{share}"
    )


if __name__ == "__main__":
    main()
