"""Files that appear only when they are complete: each is written under a unique name beside its place, then renamed."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

__all__ = ["atomic_file", "find_partials", "partial_path", "rename_without_overwriting"]

_PARTIAL: Final = re.compile(r"(.+)\.[0-9a-f]{8}\.partial", re.DOTALL)


def partial_path(target: Path) -> Path:
    """Return a new, unique name beside the target, to write to."""
    return target.with_name(f"{target.name}.{secrets.token_hex(4)}.partial")


def find_partials(folder: Path, name: str | None = None) -> Sequence[Path]:
    """Return the partial files in a folder, which another run is writing, or was writing when it was killed.

    Args:
        name: only those of the file with this name.
    """
    try:
        candidates = [path for path in folder.iterdir() if path.suffix == ".partial"]
    except OSError:  # writing there will report it
        return []
    return sorted(path for path in candidates if (match := _PARTIAL.fullmatch(path.name)) and name in (None, match[1]))


@contextmanager
def atomic_file(target: Path) -> Iterator[IO[bytes]]:
    """Open a new file beside the target, which replaces the target when the block ends without an error."""
    partial = partial_path(target)
    with partial.open("x+b") as file:
        try:
            yield file
            file.flush()
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def rename_without_overwriting(partial: Path, target: Path) -> None:
    """Rename a complete file. Raises FileExistsError if the target exists, without a race."""
    try:
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, such as a memory stick's
        target.open("xb").close()
        partial.replace(target)
    else:
        partial.unlink()
