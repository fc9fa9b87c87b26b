"""`lapel issue`: signed, durable credentials from CSV into SQLite, beside signing alone; and the memory they take.

    python -m benchmarks.issuing [--rows 20000] [--output]

The command runs as it is, a process of its own, which signs in a second one where there are processors for it; what it
is compared with is signing on one core, just before and just after. `--one-core` holds both to that core. The command
is run for one row as well, so that its start is not counted, and for half of the rows, whose memory shows whether more
rows take more. With 100,000 rows it takes a minute. Exits with 1 where a bar is not met.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.memory import MostMemory
from benchmarks.signing import signing_rate
from lapel.bootstrap import build
from lapel.cli.running import OPERATOR
from lapel.config import load_settings
from lapel.openbadges.shapes import Criteria
from lapel.services.requests import NewAchievement, NewIssuer

_LEAST_OF_SIGNING = 0.5
_MOST_GROWTH = 1.15
_LAPEL = Path(sys.executable).with_name("lapel")


@dataclass(frozen=True, slots=True)
class _Ended:
    """How one run of the command ended: seconds by the clock and of the processor, and its most memory in bytes."""

    seconds: float
    processor: float
    memory: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--output", action="store_true", help="also with every file: signed JSON and images, in a ZIP")
    parser.add_argument("--one-core", action="store_true", help="the command too")
    options = parser.parse_args()
    if options.one_core:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Each into a database of its own: in that of the first, every row of the second would find more before it.
        half = _issue(_Server.new(folder / "half"), options.rows // 2)
        start = _issue(_Server.new(folder / "start"), 1)
        server = _Server.new(folder / "all")
        signing = [_signing()]
        whole = _issue(server, options.rows)
        signing.append(_signing())
        if options.output:
            written = _issue(server, options.rows, "--output", str(folder / "out.zip"))
    by_clock = options.rows / (whole.seconds - start.seconds)
    by_processor = options.rows / (whole.processor - start.processor)
    alone, alone_by_processor = (sum(rates) / len(rates) for rates in zip(*signing, strict=True))
    growth = whole.memory / half.memory
    print(f"{'signing in process, one core':44}{alone:10,.0f}/s")
    print(
        f"{f'lapel issue, {options.rows:,} rows, durable':44}{by_clock:10,.0f}/s   {by_clock / alone:8.0%} of signing"
    )
    print("by the processor time that each took, which other processes on this machine change less:")
    print(f"{'  signing':44}{alone_by_processor:10,.0f}/s")
    print(f"{'  lapel issue':44}{by_processor:10,.0f}/s   {by_processor / alone_by_processor:8.0%} of signing")
    print(f"{'its most memory':44}{whole.memory / 1e6:10,.0f} MB  {growth:8.2f} × that of half of the rows")
    if options.output:
        took = written.seconds
        print(f"{'the same rows again: found, baked, in a ZIP':44}{options.rows / took:10,.0f}/s", end="")
        print(f"   {written.memory / 1e6:,.0f} MB")
    sys.exit(by_clock < _LEAST_OF_SIGNING * alone or growth > _MOST_GROWTH)


def _signing() -> tuple[float, float]:
    """Credentials signed in a second by the clock, and in one of the processor."""
    by_clock, processor = time.perf_counter(), time.process_time()
    rate = signing_rate()
    share = (time.process_time() - processor) / (time.perf_counter() - by_clock)
    return rate, rate / share


@dataclass(frozen=True, slots=True)
class _Server:
    """A database with an achievement, in a folder."""

    folder: Path
    environment: dict[str, str]
    achievement: str

    @classmethod
    def new(cls, folder: Path) -> _Server:
        folder.mkdir()
        environment = {"SQLITE_FILE": str(folder / "lapel.sqlite")}
        return cls(folder, environment, asyncio.run(_achievement(environment)))


async def _achievement(environment: dict[str, str]) -> str:
    async with build(load_settings(environment)) as application:
        await application.start()
        services = application.services
        issuer = await services.issuers.create(
            OPERATOR, NewIssuer(name="Harbour University", url="https://harbour.example", email="b@harbour.example")
        )
        wanted = NewAchievement(
            issuer=str(issuer.id),
            name="Night Sailing",
            description="Sails safely by night.",
            criteria=Criteria(narrative="Three nights at the helm, and an examination."),
        )
        return str((await services.achievements.create(OPERATOR, wanted)).id)


def _issue(server: _Server, rows: int, *arguments: str) -> _Ended:
    file = server.folder / "sailors.csv"
    with file.open("w") as out:
        out.write("email\n")
        out.writelines(f"sailor{number}@example.org\n" for number in range(rows))
    command = [str(_LAPEL), "issue", str(file), "--achievement", server.achievement, *arguments]
    started = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, **server.environment}, stderr=subprocess.PIPE)
    memory = MostMemory(process)
    assert process.stderr is not None
    told = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(told.decode())
    return _Ended(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, memory.bytes())


if __name__ == "__main__":
    main()
