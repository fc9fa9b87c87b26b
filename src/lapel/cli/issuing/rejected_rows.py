"""The file of rejected rows, each with what is wrong with it: to be corrected, and then issued itself."""

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
from lapel.cli.issuing.atomic_files import find_partials, partial_path, rename_without_overwriting
from lapel.cli.issuing.award_file import AwardFile, Record
from lapel.cli.issuing.columns import NOTES, is_note
from lapel.cli.issuing.formulas import defuse

__all__ = ["RejectedRows"]

_MAX_FIRST_LINES: Final = 5


class RejectedRows:
    """Writes the file, in the format of the award file. It appears when the block ends without an error.

    A run that fails leaves no file, because the next run finds the same rows. An existing file is never overwritten,
    since somebody may be correcting it.

    Args:
        path: the file to write; by default one beside the award file. If it exists, the next free name such as
            NAME.2.csv is used.

    Attributes:
        path: the file's actual path.
        count: the number of rows.
        first_lines: descriptions of the first few rows.
        was_renamed: the wanted name was taken, so another one is used.
        partials: partial files of other runs.
    """

    def __init__(self, award_file: AwardFile, path: Path | None) -> None:
        source = award_file.path
        self.path = path or source.with_name(f"{source.stem}.errors{source.suffix}")
        self.count = 0
        self.first_lines: list[str] = []
        self.was_renamed = False
        self._award_file = award_file
        self._own_columns = [index for index, name in enumerate(award_file.header) if not is_note(name)]
        self._file: TextIO | None = None
        self._partial: Path | None = None
        if self.path.exists() and self.path.samefile(source):
            raise UnreadableFile(f"{self.path} is the file with the rows itself.", hint="Name another with --errors.")
        self.partials = find_partials(self.path.parent, self.path.name)

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
                self._rename(self._partial)
        except OSError as failure:
            if kind is None:
                raise self._unwritable(failure) from failure
        finally:
            if self._partial is not None:
                self._partial.unlink(missing_ok=True)

    def add(self, record: Record, problem: str) -> None:
        """Add a row. Raises UnreadableFile if the file cannot be written."""
        self.count += 1
        if len(self.first_lines) < _MAX_FIRST_LINES:
            self.first_lines.append(f"row {record.number}: {problem}")
        try:
            if self._file is None:
                self._file = self._create()
            if isinstance(record.source, str):
                self._file.write(_as_line(_with_notes(record, problem)))
            else:
                self._write_cells([str(record.number), problem, *self._without_notes(record.source)])
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UnreadableFile:
        return UnreadableFile(f"{self.path} cannot be written: {error.strerror}.")

    def _create(self) -> TextIO:
        # CSV has a byte order mark, by which spreadsheet programs recognise UTF-8.
        encoding = "utf-8" if self._award_file.delimiter is None else "utf-8-sig"
        if self.path.exists() and not self.path.is_file():  # such as /dev/stderr
            self._file = self.path.open("w", encoding=encoding, newline="")
        else:
            partial = partial_path(self.path)
            self._file = partial.open("x", encoding=encoding, newline="")
            self._partial = partial
        if self._award_file.delimiter is not None:
            self._write_cells([*NOTES, *self._without_notes(self._award_file.header)])
        return self._file

    def _rename(self, partial: Path) -> None:
        """Give the file the first free name, unless one that is taken has the same content."""
        original = self.path
        for number in count(2):
            if self.path.is_file() and cmp(self.path, partial, shallow=False):
                self.was_renamed = False
                return
            try:
                rename_without_overwriting(partial, self.path)
            except FileExistsError:
                self.was_renamed = self.path.is_file()
                self.path = original.with_name(f"{original.stem}.{number}{original.suffix}")
            else:
                return

    def _write_cells(self, cells: list[str]) -> None:
        assert self._file is not None
        csv.writer(self._file, delimiter=self._award_file.delimiter or ",").writerow(map(defuse, cells))

    def _without_notes(self, cells: Sequence[str]) -> list[str]:
        """Return the cells without notes of an earlier run; unchanged if their number differs from the header's."""
        if len(cells) != len(self._award_file.header):
            return list(cells)
        return [cells[index] for index in self._own_columns]


def _as_line(members: dict[str, object]) -> str:
    line = json.dumps(members, ensure_ascii=False)
    if not line.isascii():
        try:
            line.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON can express as \ud800, but UTF-8 cannot
            line = json.dumps(members)
    return f"{line}\n"


def _with_notes(record: Record, problem: str) -> dict[str, object]:
    notes: dict[str, object] = {"row": record.number, "error": problem}
    try:
        document = json.loads(record.source if isinstance(record.source, str) else "")
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return {**notes, "line": record.source}
    return {**notes, **{name: value for name, value in document.items() if not is_note(name)}}
