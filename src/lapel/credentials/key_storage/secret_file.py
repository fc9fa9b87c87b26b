"""Writing files with secrets: accessible only to their owner, complete or absent, and durable."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["sync_folder", "write_secret"]


def write_secret(file: Path, content: bytes) -> None:
    """Write a new file of mode 0600, and create its folder if that is missing.

    Raises:
        FileExistsError: the file exists, or is being written at this moment.
        OSError: it cannot be written.
    """
    draft = _draft(file, content)
    try:
        os.link(draft, file)
    finally:
        draft.unlink()
    sync_folder(file.parent)


def _draft(file: Path, content: bytes) -> Path:
    draft = file.with_name(f"{file.name}.{os.getpid()}.new")
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
    except BaseException:
        draft.unlink()
        raise
    return draft


def sync_folder(folder: Path) -> None:
    """Make the folder's list of files durable; or for a file, its content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
