"""`lapel issue`: a class gets its badges from a file."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lapel.bootstrap import build
from lapel.cli.issuing.atomic_files import rename_without_overwriting
from lapel.cli.issuing.award_file import AwardFile
from lapel.cli.issuing.columns import COLUMNS
from lapel.cli.issuing.rejected_rows import RejectedRows
from lapel.config import load_settings
from tests.cli.conftest import CLASS, Command, stored
from tests.support.server_process import answers, free_port, serving
from tests.support.waiting import eventually


def test_everybody_in_the_file_gets_what_the_row_says(
    lapel: Command, achievement: str, file: Path, tmp_path: Path
) -> None:
    ended = lapel("issue", file, "--achievement", achievement)

    assert ended.code == 0, ended.err
    assert "Issued 2 credentials." in ended.err
    first, second = stored(tmp_path)
    assert first["validFrom"] == "2026-01-31T00:00:00Z"
    assert first["validUntil"] == "2126-01-31T00:00:00Z"
    assert first["evidence"] == [{"id": "https://example.org/ada", "type": ["Evidence"]}]
    assert "Three nights." in json.dumps(first["credentialSubject"])
    assert "Ada Brook" in json.dumps(first["credentialSubject"])
    assert "ada@example.org" not in json.dumps(first)
    assert second["validFrom"] == "2026-01-31T10:00:00Z"
    assert "Fields, Ben" in json.dumps(second["credentialSubject"])
    assert isinstance(first["credentialStatus"], dict)
    assert not list(tmp_path.glob("*.errors.csv"))


def test_the_same_command_again_issues_nothing(lapel: Command, achievement: str, file: Path, tmp_path: Path) -> None:
    lapel("issue", file, "--achievement", achievement)
    again = lapel("issue", file, "--achievement", achievement)

    assert again.code == 0
    assert "Issued 0 credentials." in again.err
    assert "2 rows were issued before." in again.err
    assert len(stored(tmp_path)) == 2


def test_a_row_keeps_its_id_in_another_file_and_its_place_in_the_same_one(
    lapel: Command, achievement: str, file: Path, tmp_path: Path
) -> None:
    lapel("issue", file, "--achievement", achievement)
    file.write_text(CLASS + "cleo@example.org,Cleo,,,,,s-3\ndan@example.org,Dan,,,,,\n")
    assert "Issued 2 credentials." in lapel("issue", file, "--achievement", achievement).err
    assert "Issued 0 credentials." in lapel("issue", file, "--achievement", achievement).err
    assert len(stored(tmp_path)) == 4


def test_the_same_file_can_be_issued_for_another_achievement(
    lapel: Command, achievement: str, file: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "lapel.sqlite")) as connection:
        others = [found for (found,) in connection.execute("SELECT id FROM achievements") if found not in achievement]
    for named in (achievement, others[0]):
        assert "Issued 2 credentials." in lapel("issue", file, "--achievement", named).err
    assert len(stored(tmp_path)) == 4


def test_a_dry_run_shows_the_first_and_issues_nothing(
    lapel: Command, achievement: str, file: Path, tmp_path: Path
) -> None:
    file.write_text(CLASS + "".join(f"s{n}@example.org,,,,,,\n" for n in range(600)) + "nobody,,,,,,\n")
    ended = lapel("issue", file, "--achievement", achievement, "--dry-run", "--output", tmp_path / "out")

    assert ended.code == 1
    assert "Dry run, nothing is issued: 602 of 603 rows would be." in ended.err
    assert "row 604: email must be an e-mail address" in ended.err
    shown = [json.loads(document) for document in re.split(r"(?<=^})\n", ended.out, flags=re.MULTILINE) if document]
    assert len(shown) == 3
    assert shown[0]["validUntil"] == "2126-01-31T00:00:00Z"
    assert all("proof" not in document for document in shown)
    assert stored(tmp_path) == []
    assert not (tmp_path / "out").exists()


def test_rows_that_are_wrong_are_left_out_corrected_and_issued_in_their_turn(
    lapel: Command, achievement: str, tmp_path: Path
) -> None:
    file, errors = tmp_path / "class.csv", tmp_path / "class.errors.csv"
    file.write_text(
        "E-Mail;Name;Valid from;valid_until;id\n"
        "ada@example.org;Ada;;;s-1\n"
        "ben.example.org;Ben;;;s-2\n"
        "cleo@example.org;Cleo;31.1.2026;;s-3\n"
        "dan@example.org;Dan;2026-01-31;2025-01-31;s-4\n"
        "eve@example.org;Eve;;;s-1\n"
        ";Flo;;;s-6\n"
        "gus@example.org;Gus\n"
    )

    ended = lapel("issue", file, "--achievement", achievement)

    assert ended.code == 1
    assert "Issued 1 credential." in ended.err
    assert "6 rows are wrong and were left out:" in ended.err
    assert ended.err.count("\n  row ") == 5
    assert "\n  and 1 more\n" in ended.err
    with errors.open(encoding="utf-8-sig", newline="") as content:
        header, *rows = list(csv.reader(content, delimiter=";"))
    assert header == ["row", "error", "E-Mail", "Name", "Valid from", "valid_until", "id"]
    assert [(row[0], row[2]) for row in rows] == [
        ("3", "ben.example.org"),
        ("4", "cleo@example.org"),
        ("5", "dan@example.org"),
        ("6", "eve@example.org"),
        ("7", ""),
        ("8", "gus@example.org"),
    ]
    for row, said in zip(
        rows,
        [
            "email must be",
            "valid_from must be a date",
            "valid_until must be later",
            "same id as row 2",
            "email is",
            "2",
        ],
        strict=True,
    ):
        assert said in row[1]

    text = errors.read_text(encoding="utf-8-sig").replace("ben.example", "ben@example").replace("31.1.2026", "")
    errors.write_text(text, encoding="utf-8-sig")
    ended = lapel("issue", errors, "--achievement", achievement)

    assert "Issued 2 credentials." in ended.err
    assert "4 rows are wrong" in ended.err
    with (tmp_path / "class.errors.errors.csv").open(encoding="utf-8-sig", newline="") as content:
        assert next(csv.reader(content, delimiter=";")) == header


def test_lines_of_json_that_are_wrong_are_left_out_too(lapel: Command, achievement: str, tmp_path: Path) -> None:
    file, errors = tmp_path / "class.jsonl", tmp_path / "left-out.jsonl"
    lines = ['{"email": "ada@example.org"}', "{", '{"identity": "did:example:ada", "type": "did"}']
    lines += ['{"identity": "x", "type": "did", "name": "X"}', '{"email": "ada@example.org"}']
    file.write_text("\n".join(lines))

    ended = lapel("issue", file, "--achievement", achievement, "--errors", errors)

    assert ended.code == 1
    assert "Issued 2 credentials." in ended.err
    unreadable, wrong, twice = (json.loads(line) for line in errors.read_text().splitlines())
    assert (unreadable["row"], unreadable["line"]) == (2, "{\n")
    assert wrong["identity"] == "x"
    assert wrong["error"].startswith("identity must be")
    assert twice["error"].startswith("says the same as row 1: delete it, or it is awarded twice")
    again = lapel("issue", errors, "--achievement", achievement, "--ignore-unknown")
    assert "row 1: email is missing" in again.err
    assert "row 2: identity must be" in again.err


def test_rows_that_are_being_corrected_are_never_written_over(lapel: Command, achievement: str, tmp_path: Path) -> None:
    file, errors, beside = (tmp_path / f"class.{end}csv" for end in ("", "errors.", "errors.2."))
    file.write_text("email\nada@example.org\nben.example.org\n")
    assert "class.errors.csv: correct" in lapel("issue", file, "--achievement", achievement, "--dry-run").err
    written = errors.read_bytes()
    again = lapel("issue", file, "--achievement", achievement)
    assert "class.errors.csv: correct" in again.err  # it says the same
    assert "1 row is wrong and was left out:" in again.err
    assert sorted(tmp_path.glob("*.csv")) == [file, errors]

    errors.write_text("corrected")
    for _ in range(2):
        ended = lapel("issue", file, "--achievement", achievement)
        assert ended.code == 1
        assert "Issued 0 credentials.\n1 row was issued before." in ended.err
        assert "class.errors.2.csv: correct" in ended.err.replace("\n", "")
        assert errors.read_text() == "corrected"
        assert beside.read_bytes() == written
        assert sorted(tmp_path.glob("*.csv")) == sorted([file, beside, errors])
    ended = lapel("issue", file, "--achievement", achievement, "--errors", "/dev/stderr")
    assert "must be an e-mail address" in ended.err


def test_rows_that_are_left_out_are_there_once_all_of_them_are(tmp_path: Path) -> None:
    file, errors = tmp_path / "class.csv", tmp_path / "class.errors.csv"
    file.write_text("email\nada\nben\n")

    with AwardFile.open(file) as award_file, RejectedRows(award_file, None) as killed:
        for record in award_file.records():
            killed.add(record, "is wrong")
        (left,) = set(tmp_path.iterdir()) - {file}  # by a run that is killed now
        assert re.fullmatch(r"class\.errors\.csv\.[0-9a-f]{8}\.partial", left.name)

        with RejectedRows(award_file, None) as again:
            again.add(next(award_file.records()), "is wrong")
        assert again.partials == [left]
        assert errors.read_text(encoding="utf-8-sig").splitlines() == ["row,error,email", "2,is wrong,ada"]
        assert set(tmp_path.iterdir()) == {file, errors, left}

    beside = tmp_path / "class.errors.2.csv"
    assert (killed.path, killed.was_renamed) == (beside, True)
    assert beside.read_text(encoding="utf-8-sig").splitlines()[1:] == ["2,is wrong,ada", "3,is wrong,ben"]


def test_a_run_that_is_stopped_leaves_no_file_of_rows_that_are_wrong(tmp_path: Path) -> None:
    file = tmp_path / "class.csv"
    file.write_text("email\nada\n")

    def stopped() -> None:
        with AwardFile.open(file) as award_file, RejectedRows(award_file, None) as left_out:
            left_out.add(next(award_file.records()), "is wrong")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert list(tmp_path.iterdir()) == [file]


def test_a_partial_file_that_is_there_is_named_and_left(
    lapel: Command, achievement: str, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    names = ["class.errors.csv.0123abcd.partial", "out/000002.json.4567cdef.partial", "out.zip.89abcdef.partial"]
    left = [tmp_path / name for name in names]
    for path in left:
        path.write_text("left")
    file.with_name("other.csv.0123abcd.partial").write_text("of another file")

    for output, of_it in (("out", left[1]), ("out.zip", left[2])):
        told = lapel("issue", file, "--achievement", achievement, "--no-images", "--output", tmp_path / output).err
        named = [line.partition(" was left by a run")[0] for line in told.splitlines() if ".partial" in line]
        assert named == [str(left[0]), str(of_it)]
    assert all(path.read_text() == "left" for path in left)


def test_a_file_system_without_links_does_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    partial, target = tmp_path / "partial", tmp_path / "target"
    partial.write_text("whole")

    rename_without_overwriting(partial, target)

    assert (target.read_text(), partial.exists()) == ("whole", False)
    with pytest.raises(FileExistsError):
        rename_without_overwriting(target, target)


def test_half_a_character_is_left_out_like_anything_that_is_wrong(
    lapel: Command, achievement: str, tmp_path: Path
) -> None:
    """JSON can say half of a surrogate pair, which UTF-8 cannot: it is told, and kept as it is."""
    file, errors = tmp_path / "class.jsonl", tmp_path / "class.errors.jsonl"
    lines = [f'{{"email": "b{column}@example.org", "{column}": "\\ud800é"}}' for column in COLUMNS[3:]]
    lines += ['{"email": "\\ud800@example.org"}', '{"identity": "did:example:\\ud800", "type": "did"}']
    lines += ['{"identity": "a", "type": "\\ud800"}', '{"email": "c@example.org", "\\ud800": "x"}']
    file.write_text("\n".join(['{"email": "ada@example.org", "name": "Zoë"}', *lines]))

    dry = lapel("issue", file, "--achievement", achievement, "--dry-run")
    assert "1 of 11 rows would be" in dry.err, dry.err
    errors.unlink()
    ended = lapel("issue", file, "--achievement", achievement, "--output", tmp_path / "out")

    assert ended.code == 1
    assert "10 rows are wrong" in ended.err
    assert len(stored(tmp_path)) == 1
    left = [json.loads(line) for line in errors.read_text(encoding="utf-8").splitlines()]
    notes = ("row", "error")
    assert [{name: row[name] for name in row if name not in notes} for row in left] == list(map(json.loads, lines))
    errors.write_text(errors.read_text(encoding="utf-8").replace("\\ud800", "0"), encoding="utf-8")
    again = lapel("issue", errors, "--achievement", achievement, "--ignore-unknown")
    assert "Issued 6 credentials." in again.err, again.err


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (CLASS, ["--achievement", "nothing"], "not_found"),
        ("email;nmae\na@example.org;A\n", [], "Did you mean name?"),
        ("email\n", [], "bad_award_file"),
        ("email\nJosé\n".encode("latin-1"), [], "choose `CSV UTF-8`"),
        (CLASS + "nobody,,,,,,\n", ["--errors", "/dev/null/errors"], "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_reason(
    lapel: Command, achievement: str, file: Path, content: str | bytes, arguments: list[str], said: str
) -> None:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    if "--achievement" not in arguments:
        arguments = [*arguments, "--achievement", achievement]
    ended = lapel("issue", file, *arguments)
    assert ended.code == 1
    assert ended.err.splitlines()[-1].startswith("hint: ") or "cannot be written" in ended.err
    assert said in ended.err


def test_the_file_with_the_rows_is_never_written_over(lapel: Command, achievement: str, file: Path) -> None:
    ended = lapel("issue", file, "--achievement", achievement, "--errors", file)
    assert ended.code == 1
    assert file.read_text() == CLASS


def test_the_help_names_the_columns_before_those_that_are_passed_over(lapel: Command) -> None:
    shown = re.sub(r"[│\s]+", " ", lapel("issue", "--help").out)
    assert shown.index("Columns: email") < shown.index("--ignore-unknown")
    assert "columns other than those above" in shown


def test_an_erased_row_says_what_to_do_about_it(lapel: Command, achievement: str, file: Path) -> None:
    file.write_text(f"{CLASS}cleo@example.org,Cleo,,,,,\n")
    lapel("issue", file, "--achievement", achievement)
    for somebody in ("ada@example.org", "cleo@example.org"):
        assert lapel("erase-recipient", somebody, "--yes").code == 0

    ended = lapel("issue", file, "--achievement", achievement)

    with_id, without_id = [line for line in ended.err.splitlines() if line.startswith("  row ")]
    assert "which has been erased: delete it, or give it another id to award it anew" in with_id
    assert "which has been erased: delete it, or it is awarded anew once you issue this file" in without_id
    assert "correct or delete them there" in ended.err

    errors = file.with_name("class.errors.csv")
    errors.write_text(errors.read_text(encoding="utf-8-sig").replace("s-1", "s-9"))
    assert "Issued 2 credentials." in lapel("issue", errors, "--achievement", achievement).err


def test_an_unknown_delimiter_is_wrong_usage(lapel: Command, file: Path) -> None:
    assert lapel("issue", file, "--achievement", "x", "--delimiter", ";;").code == 2


def test_it_works_beside_a_running_server_under_the_servers_address(lapel: Command, file: Path, tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port) as process:
        assert eventually(lambda: process.poll() is not None or answers(port), within=60)
        assert process.poll() is None
        found = re.search(r"^Achievement +(\S+)", lapel("demo").out, re.MULTILINE)
        assert found
        ended = lapel("issue", file, "--achievement", found[1])
        assert ended.code == 0, ended.err
        addresses = [str(credential["id"]) for credential in stored(tmp_path)]
        assert all(address.startswith(f"http://127.0.0.1:{port}/") for address in addresses)
        assert len(addresses) == 2
        assert lapel("verify", "--allow-loopback", addresses[0]).code == 0


async def test_under_the_servers_address_it_is_the_same_installation(tmp_path: Path) -> None:
    """Whatever the master key has kept in the database, such as what finds recipients, is known there too."""
    settings = load_settings({"SQLITE_FILE": str(tmp_path / "lapel.sqlite")})
    async with build(settings) as application:
        await application.start()
        await application.database.run(lambda tx: tx.server_facts.put_if_absent("public_url", b"https://b.example"))
        async with await application.under_stored_public_url() as issuing:
            assert issuing.settings.public_url == "https://b.example"
            assert issuing.master_key is application.master_key
            assert issuing.database is application.database
