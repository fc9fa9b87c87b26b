"""The file with the recipients of an achievement: CSV or JSON Lines, in UTF-8, of any length.

The whole file is scanned before anything is issued, so that an error in its format is reported at once, and its digest
and number of rows are known. It is never held in memory.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import os
import re
import stat
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Self, TextIO

from lapel.cli.failures import UnreadableFile
from lapel.cli.issuing.columns import NOTES, BadColumns, is_note, parse_header, read_members, read_object
from lapel.cli.issuing.formulas import restore
from lapel.errors import Conflict, InvalidInput

__all__ = ["MAX_ROW_LENGTH", "AwardFile", "AwardFileChanged", "BadAwardFile", "NotUtf8", "Record"]

MAX_ROW_LENGTH: Final = 1024 * 1024
"""The longest row, in characters."""

_CHUNK: Final = 1024 * 1024
_DELIMITERS: Final = ",;\t|"
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([^"\r\n])"?\s*', re.IGNORECASE)
"""The line before the header that tells Excel the delimiter. Excel does not show it, so it does not count as a row."""

_OTHER_BOMS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_SAVE_AS_UTF8: Final = "Save it as UTF-8: in a spreadsheet program, choose `CSV UTF-8` when saving."


class BadAwardFile(InvalidInput):
    """This file cannot be read as rows of CSV, or as JSON Lines."""

    code = "bad_award_file"


class NotUtf8(InvalidInput):
    """This file is not text in UTF-8."""

    code = "not_utf8"
    hint = _SAVE_AS_UTF8


class AwardFileChanged(Conflict):
    """The file was changed while its rows were being issued."""

    code = "award_file_changed"
    hint = (
        "Put it back as it was and run the same command again: rows without an id are recognised by their place in it."
    )


class Record(NamedTuple):
    """One row of the file.

    Attributes:
        number: as a spreadsheet counts, from 1 and with the header; in JSON Lines, the line's number.
        values: the row's values by column, without empty ones.
        problem: why it could not be read.
        source: its cells, or in JSON Lines its line. In a file of rejected rows without the apostrophes of `defuse`.
    """

    number: int
    values: Mapping[str, str]
    problem: str | None
    source: Sequence[str] | str


@dataclass(frozen=True, slots=True, kw_only=True)
class AwardFile:
    """An open file that has been scanned.

    Attributes:
        digest: SHA-256 of its bytes.
        rows: the number of rows that are not empty.
        delimiter: the separator of cells; None for JSON Lines.
        header: the columns' names as written in the file; empty for JSON Lines.
    """

    path: Path
    digest: bytes
    rows: int
    delimiter: str | None
    header: Sequence[str]
    _file: BinaryIO
    _state: tuple[int, int]
    _columns: Sequence[str | None]
    _ignore_unknown: bool

    @classmethod
    @contextmanager
    def open(cls, path: Path, *, delimiter: str | None = None, ignore_unknown: bool = False) -> Iterator[Self]:
        """Open and scan a file.

        Args:
            delimiter: the separator of cells; detected in the header if None.
            ignore_unknown: ignore unknown columns.

        Raises:
            UnreadableFile: it does not exist, cannot be read, or is not a regular file.
            NotUtf8, BadAwardFile, BadColumns: its content is not valid.
        """
        with _open(path) as file:
            yield cls._scan(path, file, delimiter, ignore_unknown)

    @classmethod
    def _scan(cls, path: Path, file: BinaryIO, delimiter: str | None, ignore_unknown: bool) -> Self:
        state = _state_of(file)
        digest = _digest_of_utf8(file)
        with _text(file) as text:
            start = text.read(1024).lstrip()
        if not start:
            raise BadAwardFile("The file is empty.")
        if start.startswith("["):
            raise BadAwardFile(
                "This is one JSON array.", hint="Write one object on each line, with nothing around them."
            )
        header: Sequence[str] = ()
        columns: Sequence[str | None] = ()
        if start.startswith("{"):
            delimiter = None
        else:
            delimiter, header, columns = _read_header(file, delimiter, ignore_unknown=ignore_unknown)
        award_file = cls(
            path=path,
            digest=digest,
            rows=0,
            delimiter=delimiter,
            header=header,
            _file=file,
            _state=state,
            _columns=columns,
            _ignore_unknown=ignore_unknown,
        )
        rows = sum(1 for _ in award_file._sources())
        if not rows:
            raise BadAwardFile("The file has no rows.", hint="Write one row for each recipient.")
        return replace(award_file, rows=rows)

    def records(self) -> Generator[Record, None, None]:
        """Yield every row that is not empty, in order. Close the generator before the file."""
        read: Callable[[Sequence[str] | str], tuple[Mapping[str, str], str | None]]
        read = self._read_line if self.delimiter is None else self._read_cells
        try:
            for number, source in self._sources():
                values, problem = read(source)
                yield Record(number, values, problem, source)
        except (BadAwardFile, UnicodeDecodeError):  # there was no such error in the scan
            self.check_unchanged()
            raise

    def check_unchanged(self) -> None:
        """Raise AwardFileChanged if the file has changed since it was scanned."""
        if _state_of(self._file) != self._state:
            raise AwardFileChanged

    def _sources(self) -> Iterator[tuple[int, Sequence[str] | str]]:
        with _text(self._file) as text:
            if self.delimiter is None:
                for number, line in enumerate(_Lines(text), 1):
                    if line.strip():
                        yield number, line
            else:
                rows = _rows(text, self.delimiter)
                next(rows)
                has_rejected_rows = len(list(filter(is_note, self.header))) == len(NOTES)
                for number, cells in rows:
                    if any(map(str.strip, cells)):
                        yield number, list(map(restore, cells)) if has_rejected_rows else cells

    def _read_line(self, source: Sequence[str] | str) -> tuple[Mapping[str, str], str | None]:
        assert isinstance(source, str)
        return read_object(source, ignore_unknown=self._ignore_unknown)

    def _read_cells(self, source: Sequence[str] | str) -> tuple[Mapping[str, str], str | None]:
        if len(source) != len(self._columns):
            return {}, f"has {len(source)} cells where the header has {len(self._columns)}"
        return read_members(zip(self._columns, source, strict=True)), None


class _Lines:
    """Iterates over the lines of a text, and limits each row, which may have several lines, to MAX_ROW_LENGTH."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.number = 0
        self._row_length = 0

    def begin_row(self) -> None:
        self._row_length = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_ROW_LENGTH + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._row_length += len(line)
        if self._row_length > MAX_ROW_LENGTH:
            raise BadAwardFile(
                f"The row at line {self.number} has more than {MAX_ROW_LENGTH:,} characters.",
                hint="If a quotation mark is never closed, all that follows it is one row.",
            )
        return line


def _open(path: Path) -> BinaryIO:
    hint = "Name a CSV or JSON Lines file. It is read more than once, so a pipe does not work."
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableFile(f"{path} is not a regular file.", hint=hint)
        return path.open("rb")
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror}.", hint=hint) from error


def _read_header(
    file: BinaryIO, delimiter: str | None, *, ignore_unknown: bool
) -> tuple[str, Sequence[str], Sequence[str | None]]:
    """Return the delimiter, the header as it is written, and the meaning of each column. Raises BadColumns."""
    with _text(file) as text:
        first = text.readline(MAX_ROW_LENGTH)
        separator_line = _SEPARATOR_LINE.fullmatch(first)
        if separator_line:
            first = text.readline(MAX_ROW_LENGTH)
    delimiter = delimiter or (separator_line[1] if separator_line else _detect_delimiter(first))
    with _text(file) as text:
        header = next(_rows(text, delimiter), (1, ()))[1]
    try:
        return delimiter, header, parse_header(header, ignore_unknown=ignore_unknown)
    except BadColumns as error:
        detected = _detect_delimiter(first)
        if _count_known_columns(first, detected) <= _count_known_columns(first, delimiter):
            raise
        raise BadColumns(
            error.detail,
            hint=f"In the first row the names are separated by {_name_of(detected)}, not by {_name_of(delimiter)}:"
            f" leave out --delimiter, or give `--delimiter {_name_of(detected)}`.",
        ) from error


def _rows(text: TextIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    lines = _Lines(text)
    if _SEPARATOR_LINE.fullmatch(text.readline(MAX_ROW_LENGTH)):
        lines.number = 1
    else:
        text.seek(0)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    number = 0
    while True:
        number += 1
        lines.begin_row()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BadAwardFile(
                f"Row {number} (line {lines.number}) cannot be read: {error}.",
                hint="Put a cell that contains a quotation mark in quotation marks, and double the mark inside.",
            ) from error
        yield number, cells


def _detect_delimiter(first: str) -> str:
    """Return the delimiter with which the first line has the most known columns."""
    return max(_DELIMITERS, key=lambda delimiter: _count_known_columns(first, delimiter))


def _count_known_columns(first: str, delimiter: str) -> int:
    try:
        cells = next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error:
        return 0
    return len([name for name in parse_header(cells, ignore_unknown=True, strict=False) if name])


def _name_of(delimiter: str) -> str:
    return "tab" if delimiter == "\t" else f"'{delimiter}'"


def _digest_of_utf8(file: BinaryIO) -> bytes:
    """Return the SHA-256 of the whole file. Raises NotUtf8, with the line of the first error."""
    digest, decoder, lines = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")(), 1
    file.seek(0)
    is_first = True
    while chunk := file.read(_CHUNK):
        if is_first and (chunk.startswith(_OTHER_BOMS) or b"\0" in chunk[:64]):
            raise NotUtf8("This file is in UTF-16 or UTF-32, or no text at all.")
        is_first = False
        digest.update(chunk)
        try:
            lines += decoder.decode(chunk).count("\n")
        except UnicodeDecodeError as error:
            lines += bytes(error.object[: error.start]).count(b"\n")
            raise NotUtf8(f"Line {lines} is not UTF-8: it has the byte 0x{error.object[error.start]:02x}.") from error
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise NotUtf8("The file ends in the middle of a character.") from error
    return digest.digest()


@contextmanager
def _text(file: BinaryIO) -> Iterator[TextIO]:
    """Read the file as text, from its start and without a byte order mark."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        yield text
    finally:
        text.detach()


def _state_of(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns
