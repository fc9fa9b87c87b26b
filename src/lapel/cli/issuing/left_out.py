"""The rows that were left out, each with what is wrong with it: a file to correct, and to issue in its turn."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from filecmp import cmp
from itertools import count
from pathlib import Path
from typing import Final, TextIO

from lapel.cli.failures import UnreadableFile
from lapel.cli.issuing.award_file import AwardFile, Record
from lapel.cli.issuing.columns import NOTES, is_note
from lapel.cli.issuing.formulas import defused

__all__ = ["LeftOut"]

_MOST_SHOWN: Final = 5


class LeftOut:
    """Writes such a file, of the same form as the one that was given. It is made for the first row.

    What is there already is somebody's work, such as rows that are being corrected: it is never written over.

    Args:
        path: where; beside the file if None. Where something is there, under the next name that is free: NAME.2.csv.

    Attributes:
        path: where it is.
        count: how many rows.
        shown: the first few, in words.
    """

    def __init__(self, award_file: AwardFile, path: Path | None) -> None:
        source = award_file.path
        self.path = path or source.with_name(f"{source.stem}.errors{source.suffix}")
        self.count = 0
        self.shown: list[str] = []
        self._award_file = award_file
        self._kept = [index for index, name in enumerate(award_file.header) if not is_note(name)]
        self._file: TextIO | None = None
        self._before: Path | None = None
        if self.path.exists() and self.path.samefile(source):
            raise UnreadableFile(f"{self.path} is the file with the rows itself.", hint="Name another with --errors.")

    def add(self, record: Record, problem: str) -> None:
        """Note a row. Raises UnreadableFile: the file cannot be written."""
        self.count += 1
        if len(self.shown) < _MOST_SHOWN:
            self.shown.append(f"row {record.number}: {problem}")
        try:
            if self._file is None:
                self._file = self._made()
            if isinstance(record.source, str):
                self._file.write(_as_line(_noted(record, problem)))
            else:
                self._write_cells([str(record.number), problem, *self._without_notes(record.source)])
        except OSError as error:
            raise UnreadableFile(f"{self.path} cannot be written: {error.strerror}.") from error

    def close(self) -> None:
        """Close the file, if there is one. It is deleted where it says what the one before it says."""
        if self._file is None:
            return
        self._file.close()
        if self._before is not None and cmp(self._before, self.path, shallow=False):
            self.path.unlink()
            self.path, self._before = self._before, None

    @property
    def stands_beside(self) -> bool:
        """Whether something else was there under the name before this one."""
        return self._before is not None

    def _made(self) -> TextIO:
        # With a byte order mark, by which spreadsheet programs know UTF-8.
        encoding = "utf-8" if self._award_file.delimiter is None else "utf-8-sig"
        self._file = self._opened(encoding)
        if self._award_file.delimiter is not None:
            self._write_cells([*NOTES, *self._without_notes(self._award_file.header)])
        return self._file

    def _opened(self, encoding: str) -> TextIO:
        if self.path.exists() and not self.path.is_file():  # such as /dev/stderr
            return self.path.open("w", encoding=encoding, newline="")
        wanted = self.path
        for number in count(2):
            try:
                return self.path.open("x", encoding=encoding, newline="")
            except FileExistsError:
                self._before = self.path if self.path.is_file() else None
                self.path = wanted.with_name(f"{wanted.stem}.{number}{wanted.suffix}")
        raise AssertionError

    def _write_cells(self, cells: list[str]) -> None:
        assert self._file is not None
        csv.writer(self._file, delimiter=self._award_file.delimiter or ",").writerow(map(defused, cells))

    def _without_notes(self, cells: Sequence[str]) -> list[str]:
        """The cells without those of an earlier round; as they are, where they are not as many as in the header."""
        if len(cells) != len(self._award_file.header):
            return list(cells)
        return [cells[index] for index in self._kept]


def _as_line(noted: dict[str, object]) -> str:
    line = json.dumps(noted, ensure_ascii=False)
    if not line.isascii():
        try:
            line.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON can say as \ud800, and UTF-8 cannot
            line = json.dumps(noted)
    return f"{line}\n"


def _noted(record: Record, problem: str) -> dict[str, object]:
    notes: dict[str, object] = {"row": record.number, "error": problem}
    try:
        found = json.loads(record.source if isinstance(record.source, str) else "")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return {**notes, "line": record.source}
    return {**notes, **{name: value for name, value in found.items() if not is_note(name)}}
