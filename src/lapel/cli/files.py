"""Read a command's input, within a size limit, and write its result."""

from __future__ import annotations

import sys
from pathlib import Path

from lapel.cli.failures import SameFile, UnreadableFile
from lapel.credentials.key_storage.secret_file import write_secret
from lapel.errors import TooLarge

__all__ = ["MAX_BYTES", "check_apart", "read_passphrase", "read_source", "write_result", "write_secret_file"]

MAX_BYTES = 16 * 1024 * 1024


def read_source(source: str) -> bytes:
    """Read a file, or standard input if `source` is ``-``.

    Raises:
        UnreadableFile: there is no such file, or it cannot be read.
        TooLarge: it has more than MAX_BYTES.
    """
    try:
        if source == "-":
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(source).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableFile(
            f"{source}: {error.strerror}.", hint="Name a file, a URL, or - for standard input."
        ) from error
    if len(content) > MAX_BYTES:
        raise TooLarge(f"{source} is larger than {MAX_BYTES:,} bytes.")
    return content


def write_result(target: Path | None, content: bytes) -> None:
    """Write to a file, or to standard output if `target` is None.

    Raises:
        UnreadableFile: the file cannot be written.
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
    """Check that the result does not overwrite a source.

    Raises:
        SameFile: `target` is one of the sources, also under another name.
    """
    if target is None:
        return
    for source in sources:
        try:
            same = source != "-" and target.is_file() and target.samefile(source)
        except OSError:  # reading or writing the file will report it
            continue
        if same:
            raise SameFile(f"{target} is {source} itself, which would be overwritten.")


def read_passphrase(file: Path) -> bytes:
    """Read a passphrase from a file, without the end of its line. Raises UnreadableFile."""
    return read_source(str(file)).rstrip(b"\r\n")


def write_secret_file(target: Path, content: bytes) -> None:
    """Write a new file that only its owner can read.

    Raises:
        UnreadableFile: it exists already, or cannot be written.
    """
    try:
        write_secret(target, content)
    except FileExistsError as error:
        raise UnreadableFile(f"{target} already exists.", hint="Name a file that does not exist yet.") from error
    except OSError as error:
        raise UnreadableFile(f"{target} cannot be written: {error.strerror}.") from error
