"""`lapel issue` killed again and again, then begun by two at once: every row is issued exactly once.

Rows that are wrong are told by whoever comes to the end, in a file that is there once it is whole.
"""

from __future__ import annotations

import json
import random
import subprocess
from functools import partial
from pathlib import Path

from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from tests.faults.conftest import Tell
from tests.faults.site import Site, narrative_of
from tests.support.forking import started
from tests.support.server_process import without_settings
from tests.support.waiting import eventually


def begin(site: Site, file: Path, achievement: str, output: Path) -> subprocess.Popen[str]:
    """Issue the rows into a folder; what is said is beside it."""
    with output.with_suffix(".log").open("w") as log:
        return started(
            ["issue", str(file), "--achievement", achievement, "--output", str(output), "--no-images"],
            environment={**without_settings(), **site.environment, "LAPEL_PORT": str(site.port)},
            errors=log,
        )


def written(output: Path) -> int:
    return sum(1 for _ in output.glob("*.json"))


async def test_every_row_is_issued_once_however_often_it_is_killed(site: Site, cycles: int, tell: Tell) -> None:
    rows, kills = (2_000, 2) if cycles == 1 else (20_000, cycles)
    achievement, chance = await site.achievement(), random.Random(rows)  # noqa: S311 - moments, not secrets
    file, output = site.folder / "rows.csv", site.folder / "out"
    lines = (f"s{number}@example.org,row {number},{f'id-{number}' if number % 2 else ''}\n" for number in range(rows))
    wrong, errors = "".join(f"nobody,wrong {number},\n" for number in range(2)), file.with_name("rows.errors.csv")
    file.write_text("email,narrative,id\n" + wrong + "".join(lines))
    moments = sorted(chance.randrange(rows * 9 // 10) for _ in range(kills))

    for moment in moments:
        killed = begin(site, file, achievement, output)
        enough = partial(lambda least: written(output) > least, moment)
        assert eventually(lambda: enough() or killed.poll() is not None, within=120)  # noqa: B023 - called here alone
        killed.kill()
        killed.wait(60)
        assert not errors.exists()
    there, left = written(output), list(site.folder.glob("rows.errors.csv.*.partial"))
    assert len(left) == kills
    both = [begin(site, file, achievement, folder) for folder in (output, site.folder / "other")]

    ended = [process.wait(300) for process in both]

    logs = [folder.with_suffix(".log").read_text() for folder in (output, site.folder / "other")]
    assert ended == [1, 1], logs
    assert [row.split(",")[-2] for row in errors.read_text().splitlines()] == ["narrative", "wrong 0", "wrong 1"]
    assert sorted(site.folder.glob("rows.errors*")) == sorted([errors, *left])
    assert all(f"{path} was left by a run" in log for path in left for log in logs)
    async with site.application() as application:
        stream = application.database.read().credentials.stream(DEFAULT_ORGANISATION_ID)
        stored = {narrative_of(credential): credential.signed async for credential in stream}
    assert stored.keys() == {f"row {number}" for number in range(rows)}
    for folder in (output, site.folder / "other"):
        contents = [path.read_bytes() for path in folder.glob("*.json")]
        assert len(contents) == rows
        assert all(stored[json.loads(content)["credentialSubject"]["narrative"]] == content for content in contents)
    found = await site.audit(everything=cycles > 1)
    assert found.stored == rows
    tell(
        f"{kills} kills, the last with {there} of {rows} rows written; {found.stored} stored, {found.verified} verified"
    )
