"""What `lapel issue --output` writes, and where it does not."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import zipfile
from pathlib import Path

import pytest

from lapel.cli.issuing.atomic_files import atomic_file
from lapel.credentials.baking import unbake
from tests.cli.conftest import CLASS, Command, stored
from tests.support.server_process import LAPEL
from tests.support.waiting import eventually


def test_a_link_in_the_folder_is_replaced_and_what_it_leads_to_is_left_alone(
    lapel: Command, achievement: str, file: Path, tmp_path: Path
) -> None:
    victim, out = tmp_path / "victim", tmp_path / "out"
    victim.write_text("mine")
    out.mkdir()
    names = ("000002-s-1.json", "000002-s-1.svg", "issued.csv")
    for name in names:
        (out / name).symlink_to(victim)
    (out / "000003-s-2.json").hardlink_to(victim)  # which nothing tells from a file of its own

    assert lapel("issue", file, "--achievement", achievement, "--output", out).code == 0
    assert victim.read_text() == "mine"
    assert not any((out / name).is_symlink() for name in names)
    assert (out / "000003-s-2.json").read_text() == "mine"
    assert json.loads((out / "000003-s-2.2.json").read_bytes()) == stored(tmp_path)[1]
    assert len(list(out.iterdir())) == 6


def test_the_files_of_another_run_are_not_written_over(lapel: Command, achievement: str, tmp_path: Path) -> None:
    file, out = tmp_path / "class.csv", tmp_path / "out"
    file.write_text("email\nada@example.org\nben\n")
    left_out = tmp_path / "class.errors.csv"
    issue = ("--achievement", achievement, "--output", out)

    assert lapel("issue", file, *issue).code == 1
    before = {path: path.read_bytes() for path in out.iterdir()}
    left_out.write_text(left_out.read_text(encoding="utf-8-sig").replace("ben\n", "ben@example.org\n"))
    for _ in range(2):  # also where it is begun again
        assert lapel("issue", left_out, *issue).code == 0
        assert {path: path.read_bytes() for path in before} == before
        beside = ("000002.2.json", "000002.2.svg", "issued.2.csv")
        assert {path.name for path in out.iterdir()} - {path.name for path in before} == set(beside)

    assert unbake((out / "000002.2.svg").read_bytes()).payload == (out / "000002.2.json").read_text()
    with (out / "issued.2.csv").open(encoding="utf-8", newline="") as content:
        (row,) = csv.DictReader(content)
    assert (row["recipient"], row["file"], row["image"]) == ("ben@example.org", *beside[:2])


def test_of_two_runs_into_the_same_zip_file_the_last_to_end_is_there_whole(
    lapel: Command, achievement: str, tmp_path: Path
) -> None:
    file, archive = tmp_path / "many.csv", tmp_path / "many.zip"
    file.write_text("email\n" + "".join(f"s{number}@example.org\n" for number in range(1_000)))
    command = [str(LAPEL), "issue", str(file), "--achievement", achievement, "--output", str(archive), "--no-images"]
    begun = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=120)[1] for process in begun]

    assert [process.returncode for process in begun] == [0, 0], told
    with zipfile.ZipFile(archive) as whole:
        assert whole.testzip() is None
        assert len(whole.namelist()) == 1_001
    assert [path.name for path in tmp_path.glob("many.zip*")] == ["many.zip"]


def test_a_partial_file_is_of_one_run_alone(tmp_path: Path) -> None:
    target = tmp_path / "out.zip"
    with atomic_file(target) as first, atomic_file(target) as second:
        first.write(b"the first, which ends last")
        second.write(b"the second")
    assert target.read_bytes() == b"the first, which ends last"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_what_was_issued_can_be_had_as_files(
    lapel: Command, achievement: str, file: Path, tmp_path: Path, name: str
) -> None:
    file.write_text(CLASS.replace("s-2", "../s 2"))
    target = tmp_path / name
    for said in ("Issued 2", "Issued 0"):  # also where it is begun again
        ended = lapel("issue", file, "--achievement", achievement, "--output", target)
        assert said in ended.err
        if name == "out":
            found = {path.name: path.read_bytes() for path in target.iterdir()}
        else:
            with zipfile.ZipFile(target) as archive:
                assert archive.testzip() is None
                found = {name: archive.read(name) for name in archive.namelist()}
        names = ["000002-s-1.json", "000002-s-1.svg", "000003-s-2.json", "000003-s-2.svg"]
        assert sorted(found) == [*names, "issued.csv"]
        assert [json.loads(found[name]) for name in names[::2]] == stored(tmp_path)
        assert [unbake(found[name]).payload.encode() for name in names[1::2]] == [found[name] for name in names[::2]]
        rows = list(csv.DictReader(found["issued.csv"].decode().splitlines()))
        assert [(row["row"], row["id"], row["recipient"]) for row in rows] == [
            ("2", "s-1", "ada@example.org"),
            ("3", "../s 2", "ben@example.org"),
        ]
        assert [row["credential"] for row in rows] == [credential["id"] for credential in stored(tmp_path)]
        assert [row["image"] for row in rows] == names[1::2]
    assert not list(tmp_path.glob("*.partial"))


def test_the_images_can_be_left_out_and_a_jws_has_its_own_ending(
    lapel: Command, achievement: str, file: Path, tmp_path: Path
) -> None:
    arguments = ("--output", tmp_path / "out", "--no-images", "--format", "vc-jwt")
    assert lapel("issue", file, "--achievement", achievement, *arguments).code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "000002-s-1.jwt",
        "000003-s-2.jwt",
        "issued.csv",
    ]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("class.csv", "is an existing file, and not a .zip."),
        ("/dev/null/out", "cannot be made: Not a directory."),
        ("/dev/null", "is an existing file, and not a .zip."),
        ("badges.tar.gz", ".gz is how a file's name ends."),
        ("badges.CSV", ".CSV is how a file's name ends."),
        ("badges.7z", ".7z is how a file's name ends."),
        ("missing/badges.zip", "missing is not a folder."),
        ("folder.zip", "is a folder, not a ZIP file."),
    ],
)
def test_a_wrong_output_is_refused_before_anything_is_issued(
    lapel: Command, achievement: str, file: Path, tmp_path: Path, output: str, said: str
) -> None:
    (tmp_path / "folder.zip").mkdir()
    before = sorted(tmp_path.glob("*"))
    for more in [["--dry-run"], []][output == "/dev/null/out" :]:  # a dry run makes no folder
        ended = lapel("issue", file, "--achievement", achievement, "--output", tmp_path / output, *more)
        assert ended.code == 1
        assert "error: bad_output: " in ended.err
        assert said in ended.err
        assert ended.err.splitlines()[-1].startswith("hint: ")
        assert "Stopped" not in ended.err
    assert stored(tmp_path) == []
    assert sorted(path for path in tmp_path.glob("*") if "sqlite-" not in path.name) == [
        path for path in before if "sqlite-" not in path.name
    ]


@pytest.mark.parametrize("name", ["badges.2026", "class-1.0", ".badges", "was.there"])
def test_a_folder_may_have_a_dot_in_its_name(
    lapel: Command, achievement: str, file: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "was.there").mkdir()
    assert lapel("issue", file, "--achievement", achievement, "--output", tmp_path / name, "--no-images").code == 0
    assert (tmp_path / name / "issued.csv").is_file()


def test_an_interruption_says_that_the_same_command_goes_on(lapel: Command, achievement: str, tmp_path: Path) -> None:
    file, archive = tmp_path / "many.csv", tmp_path / "many.zip"
    file.write_text("email\n" + "".join(f"s{number}@example.org\n" for number in range(100_000)))

    def begun() -> bool:
        return any(partial.stat().st_size > 10_000 for partial in tmp_path.glob("many.zip.*.partial"))

    with subprocess.Popen(
        [str(LAPEL), "issue", str(file), "--achievement", achievement, "--output", str(archive), "--no-images"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert eventually(begun, within=60)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)

    assert process.returncode not in (0, None)
    stopped = re.search(r"Stopped: ([\d,]+) of 100,000 rows are issued, or a few more.", told)
    assert stopped, told
    assert "Run the same command again to continue." in told
    assert "Traceback" not in told
    assert 0 < int(stopped[1].replace(",", "")) <= len(stored(tmp_path)) < 100_000
    assert not list(tmp_path.glob("many.zip*"))


def test_formulas_are_text_in_what_is_written_and_themselves_when_it_is_issued(
    lapel: Command, achievement: str, tmp_path: Path
) -> None:
    file, errors = tmp_path / "class.csv", tmp_path / "class.errors.csv"
    formula = '=HYPERLINK("https://x.example","x")'
    cell = '"' + formula.replace('"', '""') + '"'
    file.write_text(f"email,name,id\n=a@example.org,A,{cell}\nb.example.org,{cell},-5\nc.example.org,'@c,@c\n")
    lapel("issue", file, "--achievement", achievement, "--output", tmp_path / "out")
    (row,) = csv.DictReader((tmp_path / "out" / "issued.csv").read_text().splitlines())
    assert (row["id"], row["recipient"]) == (f"'{formula}", "'=a@example.org")

    for again in ("class.errors.csv", "class.errors.errors.csv"):  # left out once, and once more
        with (tmp_path / again).open(encoding="utf-8-sig", newline="") as content:
            first, second = csv.DictReader(content)
        assert (first["name"], first["id"]) == (f"'{formula}", "-5")
        assert (second["name"], second["id"]) == ("''@c", "'@c")
        assert lapel("issue", tmp_path / again, "--achievement", achievement).code == 1
    errors.write_text(errors.read_text(encoding="utf-8-sig").replace(".example", "@example", 1).replace("c.e", "c@e"))
    corrected = lapel("issue", errors, "--achievement", achievement, "--output", tmp_path / "more")
    assert "Issued 2" in corrected.err, corrected.err
    names = [json.dumps(formula)[1:-1], "'@c"]
    assert [name in json.dumps(credential) for name, credential in zip(names, stored(tmp_path)[1:], strict=True)] == [
        True,
        True,
    ]
    rows = csv.DictReader((tmp_path / "more" / "issued.csv").read_text().splitlines())
    assert [row["id"] for row in rows] == ["-5", "'@c"]
