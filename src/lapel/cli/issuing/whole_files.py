"""Files that are there once they are whole: written beside their places, under names that no other run has."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

__all__ = ["partial_of", "partials_in", "put_in_free_place", "whole_file"]

_PARTIAL: Final = re.compile(r"(.+)\.[0-9a-f]{8}\.partial", re.DOTALL)


def partial_of(target: Path) -> Path:
    """A new name beside the target, for one run alone to write to."""
    return target.with_name(f"{target.name}.{secrets.token_hex(4)}.partial")


def partials_in(folder: Path, name: str | None = None) -> Sequence[Path]:
    """What is being written there, or was when its run was killed, which nothing tells apart.

    Args:
        name: of the file that it was to become; None: of any.
    """
    try:
        found = [path for path in folder.iterdir() if path.suffix == ".partial"]
    except OSError:  # whoever writes there is told why
        return []
    return sorted(path for path in found if (part := _PARTIAL.fullmatch(path.name)) and name in (None, part[1]))


@contextmanager
def whole_file(target: Path) -> Iterator[IO[bytes]]:
    """A new file beside the target, of this run alone, which takes the target's place once it is written."""
    partial = partial_of(target)
    with partial.open("x+b") as file:
        try:
            yield file
            file.flush()
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def put_in_free_place(partial: Path, target: Path) -> None:
    """Rename a file that is whole. Raises FileExistsError if anything is there, also what has just come."""
    try:
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, such as a memory stick's
        target.open("xb").close()
        partial.replace(target)
    else:
        partial.unlink()
