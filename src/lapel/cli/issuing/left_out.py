"""The rows that were left out, each with what is wrong with it: a file to correct, and to issue in its turn."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from filecmp import cmp
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TextIO

from lapel.cli.failures import UnreadableFile
from lapel.cli.issuing.award_file import AwardFile, Record
from lapel.cli.issuing.columns import NOTES, is_note
from lapel.cli.issuing.formulas import defused
from lapel.cli.issuing.whole_files import partial_of, partials_in, put_in_free_place

__all__ = ["LeftOut"]

_MOST_SHOWN: Final = 5


class LeftOut:
    """Writes such a file, of the same form as the one that was given. It is there once its block has ended well.

    A run that ends otherwise leaves none: begun again, it finds the same rows. What is there already is somebody's
    work, such as rows that are being corrected: it is never written over.

    Args:
        path: where; beside the file if None. Where something is there, under the next name that is free: NAME.2.csv.

    Attributes:
        path: where it is.
        count: how many rows.
        shown: the first few, in words.
        stands_beside: whether something else was there under the name before this one.
        partials: what other runs have begun to write and not ended.
    """

    def __init__(self, award_file: AwardFile, path: Path | None) -> None:
        source = award_file.path
        self.path = path or source.with_name(f"{source.stem}.errors{source.suffix}")
        self.count = 0
        self.shown: list[str] = []
        self.stands_beside = False
        self._award_file = award_file
        self._kept = [index for index, name in enumerate(award_file.header) if not is_note(name)]
        self._file: TextIO | None = None
        self._partial: Path | None = None
        if self.path.exists() and self.path.samefile(source):
            raise UnreadableFile(f"{self.path} is the file with the rows itself.", hint="Name another with --errors.")
        self.partials = partials_in(self.path.parent, self.path.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        try:
            self._file.close()
            if self._partial is not None and kind is None:
                self._take_place(self._partial)
        except OSError as failure:
            if kind is None:
                raise self._unwritable(failure) from failure
        finally:
            if self._partial is not None:
                self._partial.unlink(missing_ok=True)

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
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UnreadableFile:
        return UnreadableFile(f"{self.path} cannot be written: {error.strerror}.")

    def _made(self) -> TextIO:
        # With a byte order mark, by which spreadsheet programs know UTF-8.
        encoding = "utf-8" if self._award_file.delimiter is None else "utf-8-sig"
        if self.path.exists() and not self.path.is_file():  # such as /dev/stderr
            self._file = self.path.open("w", encoding=encoding, newline="")
        else:
            partial = partial_of(self.path)
            self._file = partial.open("x", encoding=encoding, newline="")
            self._partial = partial
        if self._award_file.delimiter is not None:
            self._write_cells([*NOTES, *self._without_notes(self._award_file.header)])
        return self._file

    def _take_place(self, partial: Path) -> None:
        """Give it the first name that is free, unless what is there says the same."""
        wanted = self.path
        for number in count(2):
            if self.path.is_file() and cmp(self.path, partial, shallow=False):
                self.stands_beside = False
                return
            try:
                put_in_free_place(partial, self.path)
            except FileExistsError:
                self.stands_beside = self.path.is_file()
                self.path = wanted.with_name(f"{wanted.stem}.{number}{wanted.suffix}")
            else:
                return

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
