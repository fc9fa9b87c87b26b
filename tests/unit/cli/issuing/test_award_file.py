"""Files of awards: what is read, and what is refused with a reason that helps."""

from __future__ import annotations

import codecs
import os
from pathlib import Path
from time import process_time

import pytest

from lapel.cli.failures import UnreadableFile
from lapel.cli.issuing.award_file import MAX_ROW_LENGTH, AwardFile, AwardFileChanged, BadAwardFile, NotUtf8, Record
from lapel.cli.issuing.columns import BadColumns
from lapel.cli.issuing.seen_rows import SeenRows


def read(path: Path, content: bytes | str, *, delimiter: str | None = None, ignore: bool = False) -> list[Record]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with AwardFile.open(path, delimiter=delimiter, ignore_unknown=ignore) as file:
        records = list(file.records())
        assert file.rows == len(records)
        return records


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "class.csv"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("bom", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_is_read_as_programs_write_it(path: Path, delimiter: str, bom: bytes, end: str) -> None:
    lines = ["email|name|valid_from", 'ada@example.org|"Brook, ""Ada""; Zoë\tB"|2026-01-31', "", "ben@example.org|Ben|"]
    content = bom + end.join(lines).replace("|", delimiter).encode()

    first, second = read(path, content)

    assert first.values == {
        "email": "ada@example.org",
        "name": 'Brook, "Ada"; Zoë\tB',
        "valid_from": "2026-01-31",
    }
    assert (first.number, second.number) == (2, 4)
    assert second.values == {"email": "ben@example.org", "name": "Ben"}


def test_a_cell_may_have_several_lines(path: Path) -> None:
    first, second = read(path, 'email,narrative\na@example.org,"one\r\ntwo\n"\nb@example.org,x\n')
    assert first.values["narrative"] == "one\r\ntwo"
    assert second.number == 3


def test_a_delimiter_that_is_told_is_taken(path: Path) -> None:
    (record,) = read(path, "email^name\na@example.org^A, B; C\n", delimiter="^")
    assert record.values["name"] == "A, B; C"


@pytest.mark.parametrize("first", ["sep=;\r\n", "\ufeffSEP=;\n", '"sep=;"\r'])
@pytest.mark.parametrize("delimiter", [None, ";"])
def test_the_line_by_which_excel_is_told_the_delimiter_is_no_header(
    path: Path, first: str, delimiter: str | None
) -> None:
    (record,) = read(path, f"{first}email;name\na@example.org;A, B\n", delimiter=delimiter)
    assert record.values == {"email": "a@example.org", "name": "A, B"}
    assert record.number == 2  # as Excel shows it


@pytest.mark.parametrize("first", ['sep="\n', "sep=\r\n"])
def test_a_line_that_tells_no_usable_delimiter_is_a_header(path: Path, first: str) -> None:
    with pytest.raises(BadColumns, match="no column 'sep="):
        read(path, f'{first}email"name\na@example.org"Ada\n')


@pytest.mark.parametrize(
    ("content", "delimiter", "meant"),
    [
        ("id;email\n", ",", "';'"),
        ("id|email\n", ";", "'|'"),
        ("id\temail\n", ",", "tab"),
        ("sep=,\nid;email\n", None, "';'"),
    ],
)
@pytest.mark.parametrize("ignore", [False, True])
def test_a_wrong_delimiter_is_told_with_the_right_one(
    path: Path, content: str, delimiter: str | None, meant: str, ignore: bool
) -> None:
    with pytest.raises(BadColumns) as caught:
        read(path, content + "1,a@example.org\n", delimiter=delimiter, ignore=ignore)
    assert f"give `--delimiter {meant}`" in str(caught.value.hint)


@pytest.mark.parametrize("first", ["ada@example.org,Ada", "Ada;2026-01-31;ada@example.org", "did:example:ada"])
def test_a_file_without_a_header_is_told_as_one(path: Path, first: str) -> None:
    with pytest.raises(BadColumns) as caught:
        read(path, first + "\n" + first)
    assert "write a row above it that names the columns. The columns are: email" in str(caught.value.hint)


def test_one_column_needs_no_delimiter(path: Path) -> None:
    assert [record.values for record in read(path, "email\na@example.org\n")] == [{"email": "a@example.org"}]


@pytest.mark.parametrize(
    "header", ["E-Mail,Valid From,evidence url", "EMAIL,validFrom,evidenceUrl", " email , valid-from ,Evidence_URL"]
)
def test_columns_may_be_spelt_in_other_ways(path: Path, header: str) -> None:
    (record,) = read(path, f"{header}\na,b,c\n")
    assert list(record.values) == ["email", "valid_from", "evidence_url"]


def test_json_lines_are_read(path: Path) -> None:
    content = (
        '{"email": "ada@example.org", "validFrom": "2026-01-31", "id": 17, "name": null}\n\n{"email":"b@example.org"}'
    )
    first, second = read(path, codecs.BOM_UTF8 + content.encode())
    assert first.values == {"email": "ada@example.org", "valid_from": "2026-01-31", "id": "17"}
    assert (second.number, second.values) == (3, {"email": "b@example.org"})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"email": "a@example.org"', "cannot be read"),
        ('["a@example.org"]', "cannot be read: The JSON is not an object."),
        ('{"email": "a", "email": "b"}', "cannot be read"),
        ('{"email": "a", "E-Mail": "b"}', "has email twice"),
        ('{"email": ["a@example.org"]}', "has something other than text in email"),
        ('{"email": true}', "has something other than text in email"),
        ('{"mail": "a@example.org"}', "Did you mean email?"),
        ("[" * 5_000, "cannot be read"),
    ],
)
def test_a_line_that_cannot_be_read_is_a_problem_of_its_own(path: Path, line: str, said: str) -> None:
    good, bad = read(path, f'{{"email": "x@example.org"}}\n{line}\n')
    assert good.problem is None
    assert bad.problem is not None
    assert said in bad.problem


def test_a_row_with_another_number_of_cells_is_a_problem_of_its_own(path: Path) -> None:
    records = read(path, "email,name\na@example.org\nb@example.org,B\nc@example.org,C,D\n")
    assert [record.problem for record in records] == [
        "has 1 cells where the header has 2",
        None,
        "has 3 cells where the header has 2",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"email,name\nada@example.org,Zo\xeb\n", "Line 2 is not UTF-8: it has the byte 0xeb."),
        (b"email\n" + b"a@example.org\n" * 100_000 + b"\xff", "Line 100002 is not UTF-8: it has the byte 0xff."),
        (b"email\n\xc3", "ends in the middle of a character"),
        ("email\na@example.org\n".encode("utf-16"), "UTF-16"),
        ("email\na@example.org\n".encode("utf-16-le"), "UTF-16"),
        ("email\na@example.org\n".encode("utf-32"), "UTF-32"),
    ],
)
def test_what_is_not_utf_8_is_refused_before_anything_else(path: Path, content: bytes, said: str) -> None:
    with pytest.raises(NotUtf8) as caught:
        read(path, content)
    assert said in caught.value.detail
    assert "UTF-8" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("header", "said", "hint"),
    [
        ("name,id", "no column email", "The first row must name the columns"),
        ("identity,name", "no column type", "email, did, url or phone"),
        ("email,naem", "no column 'naem'", "Did you mean name?"),
        ("email,evidence", "no column 'evidence'", "Did you mean evidence_url?"),
        ("email,class", "no column 'class'", "--ignore-unknown"),
        ("email,E-Mail", "'email' is there twice", ""),
        ("ada@example.org", "no column 'ada@example.org'", "The columns are: email"),
    ],
)
def test_wrong_columns_are_refused_with_a_hint(path: Path, header: str, said: str, hint: str) -> None:
    with pytest.raises(BadColumns) as caught:
        read(path, header + "\na,b\n")
    assert said in caught.value.detail
    assert hint in str(caught.value.hint)


def test_however_often_a_column_is_there_it_is_told_soon(path: Path) -> None:
    began = process_time()
    with pytest.raises(BadColumns, match="'id' is there twice"):
        read(path, "id," * 200_000 + "email\n")
    assert process_time() - began < 5


def test_unknown_columns_can_be_passed_over(path: Path) -> None:
    (record,) = read(path, "class,email,mark\n4b,a@example.org,A\n", ignore=True)
    assert record.values == {"email": "a@example.org"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        (" \n\n", "empty"),
        ("email\n", "no rows"),
        ("email,name\n,\n", "no rows"),
        ('[{"email": "a@example.org"}]', "one JSON array"),
        ('sep=,\nemail,name\na@example.org,"A"B\n', "Row 2 (line 3) cannot be read"),
        ('email,name\na@example.org,"A"B\n', "Row 2 (line 2) cannot be read"),
        ('email,name\na@example.org,"A\nb@example.org,B\n', "Row 2 (line 3) cannot be read"),
        ('email,narrative\na@example.org,"' + "x\n" * 100_000 + '"\n', "larger than field limit"),
        ("email\n" + "x" * (MAX_ROW_LENGTH + 1), "more than 1,048,576 characters"),
        ("email\n" + ",".join(['"\n"'] * (MAX_ROW_LENGTH // 3)), "more than 1,048,576 characters"),
        ('{"email": "' + "x" * MAX_ROW_LENGTH + '"}\n', "more than 1,048,576 characters"),
    ],
)
def test_what_cannot_be_taken_apart_is_refused_as_a_whole(path: Path, content: str, said: str) -> None:
    with pytest.raises(BadAwardFile) as caught:
        read(path, content)
    assert said in caught.value.detail


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    for path in (tmp_path / "nothing.csv", tmp_path, fifo):
        with pytest.raises(UnreadableFile), AwardFile.open(path):
            pass


def test_a_file_that_changes_meanwhile_is_noticed(path: Path) -> None:
    path.write_text("email\na@example.org\n")
    with AwardFile.open(path) as file:
        file.check_unchanged()
        with path.open("a") as more:
            more.write("b@example.org\n")
        with pytest.raises(AwardFileChanged):
            file.check_unchanged()


def test_the_digest_is_of_every_byte(path: Path) -> None:
    digests = set()
    for content in ("email\na@example.org\n", "email\na@example.org", "email\r\na@example.org\n"):
        path.write_bytes(content.encode())
        with AwardFile.open(path) as file:
            digests.add(file.digest)
    assert len(digests) == 3


def test_a_row_is_met_again_by_its_id_or_by_all_that_it_says() -> None:
    seen = SeenRows(2_000)
    rows = [{"email": f"s{number}@example.org", "id": str(number)} for number in range(1_000)]
    rows += [{"email": f"s{number}@example.org"} for number in range(1_000)]
    assert [seen.first(row, number) for number, row in enumerate(rows)] == list(range(2_000))
    assert seen.first({"id": "17", "email": "another@example.org"}, 5_000) == 17
    assert seen.first({"email": "s17@example.org"}, 5_000) == 1_017
