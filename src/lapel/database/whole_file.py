"""Operations on a database that is a single file: it can be copied while in use, and be replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from lapel.database.errors import NotSupported

__all__ = ["WholeFile"]


class WholeFile:
    """The part of `lapel.database.interface.Database` that a module overrides if its data is in one file.

    Other modules may override `outside_tools`.
    """

    @property
    def own_file(self) -> Path | None:
        """The local file that contains all data, beside which a secret may be stored; None if there is none."""
        return None

    companions: Sequence[str] = ()
    """Suffixes of files beside `own_file` that may contain data while it is open or after a crash."""

    async def backup_to(self, file: Path, on_progress: Callable[[int, int], None]) -> datetime:
        """Copy a snapshot of the committed data to `file`, which exists and is empty. Others can go on writing.

        Args:
            on_progress: called from any thread with the number of parts done and their total.

        Returns:
            A time: everything committed by then is in the copy.

        Raises:
            NotSupported: `capabilities.whole_file` is not set.
        """
        raise NotSupported

    def served_by_nobody(self) -> AbstractContextManager[None]:
        """Keep servers from running on `own_file`, whether it exists or not, during the block. Needs no connection.

        Raises:
            DatabaseLocked: a server is running.
            NotSupported: as for `backup_to`.
        """
        raise NotSupported

    def opened_by_nobody(self) -> AbstractContextManager[None]:
        """Keep everybody from opening `own_file` during the block.

        Unless it is damaged or missing, the file then contains all data and its `companions` none, so that it can be
        copied, moved or replaced.

        Raises:
            DatabaseBusy: somebody has the file open.
            NotSupported: as for `backup_to`.
        """
        raise NotSupported

    def outside_tools(self, file: Path) -> tuple[str, str]:
        """Return the commands that back up this database to `file`, and restore it from there; without secrets.

        Both are empty if the database has no tools of its own.
        """
        return "", ""
