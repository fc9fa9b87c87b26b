"""A database that is one file: it can be copied while it is in use, and give way to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from lapel.database.errors import NotSupported

__all__ = ["WholeFile"]


class WholeFile:
    """Of `lapel.database.interface.Database`, what a module overrides whose data is one file.

    One whose data is none may say in `outside_tools` what is done instead.
    """

    @property
    def own_file(self) -> Path | None:
        """The file of this machine that holds everything, beside which a secret may be kept; None if there is none."""
        return None

    companions: Sequence[str] = ()
    """Endings of the files beside `own_file` in which a part of it may be, while it is open or after a crash."""

    async def backup_to(self, file: Path, tell: Callable[[int, int], None]) -> datetime:
        """Copy what is committed, as it is at one moment, to `file`, which is there and empty. Others go on writing.

        Args:
            tell: is told, in any thread, how many parts are done, and of how many.

        Returns:
            A moment: what was committed by then is in the copy.

        Raises:
            NotSupported: `capabilities.whole_file` is not set.
        """
        raise NotSupported

    def served_by_nobody(self) -> AbstractContextManager[None]:
        """No server runs on `own_file`, there or not, nor can one start while the block runs. Nothing is connected.

        Raises:
            DatabaseLocked: one runs.
            NotSupported: as `backup_to`.
        """
        raise NotSupported

    def opened_by_nobody(self) -> AbstractContextManager[None]:
        """Nobody has `own_file` open, and nobody gets at what is in it while the block runs.

        All is in the file then and nothing in its `companions`, unless it is damaged, or not there. So it can be copied
        and moved, and another one be put in its place.

        Raises:
            DatabaseBusy: somebody has it open.
            NotSupported: as `backup_to`.
        """
        raise NotSupported

    def outside_tools(self, file: Path) -> tuple[str, str]:
        """The commands that back this database up to `file`, and restore it from there; without secrets.

        Both are empty where it has no tools of its own.
        """
        return "", ""
