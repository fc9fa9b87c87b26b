"""Reading what a command is pointed at, within limits, and writing what it makes."""

from __future__ import annotations

import sys
from pathlib import Path

from lapel.cli.failures import SameFile, UnreadableFile
from lapel.credentials.key_storage.secret_file import write_secret
from lapel.errors import TooLarge

__all__ = ["MOST_BYTES", "check_apart", "read_passphrase", "read_source", "write_result", "write_secret_file"]

MOST_BYTES = 16 * 1024 * 1024


def read_source(source: str) -> bytes:
    """The content of a file, or of standard input where `source` is ``-``.

    Raises:
        UnreadableFile: there is no such file, or it may not be read.
        TooLarge: it has more than MOST_BYTES.
    """
    try:
        if source == "-":
            content = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(source).open("rb") as file:
                content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UnreadableFile(
            f"{source}: {error.strerror}.", hint="Name a file, a URL, or - for standard input."
        ) from error
    if len(content) > MOST_BYTES:
        raise TooLarge(f"{source} is larger than {MOST_BYTES:,} bytes.")
    return content


def write_result(target: Path | None, content: bytes) -> None:
    """Write to a file, or to standard output where `target` is None.

    Raises:
        UnreadableFile: it cannot be written.
    """
    if target is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        target.write_bytes(content)
    except OSError as error:
        raise UnreadableFile(f"{target} cannot be written: {error.strerror}.") from error


def check_apart(target: Path | None, *sources: str) -> None:
    """See that a result is not written over what it is made of.

    Raises:
        SameFile: `target` is one of the sources, by whatever name.
    """
    if target is None:
        return
    for source in sources:
        try:
            same = source != "-" and target.is_file() and target.samefile(source)
        except OSError:  # reading it, or writing it, tells why
            continue
        if same:
            raise SameFile(f"{target} is {source} itself, which would be overwritten.")


def read_passphrase(file: Path) -> bytes:
    """What a file holds, without the line's end. Raises UnreadableFile."""
    return read_source(str(file)).rstrip(b"\r\n")


def write_secret_file(target: Path, content: bytes) -> None:
    """Write a new file that its owner alone may read.

    Raises:
        UnreadableFile: it is there already, or cannot be written.
    """
    try:
        write_secret(target, content)
    except FileExistsError as error:
        raise UnreadableFile(f"{target} already exists.", hint="Name a file that does not exist yet.") from error
    except OSError as error:
        raise UnreadableFile(f"{target} cannot be written: {error.strerror}.") from error
