"""Write issued credentials to files: each as it was signed, its baked badge image, and a list of all of them."""

from __future__ import annotations

import csv
import io
import itertools
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Final, Protocol
from uuid import UUID

from lapel.cli.failures import UnreadableFile
from lapel.cli.issuing.atomic_files import atomic_file, find_partials
from lapel.cli.issuing.award_file import Record
from lapel.cli.issuing.formulas import defuse
from lapel.credentials.baking import bake
from lapel.domain.credential import Credential, CredentialFormat
from lapel.errors import InvalidInput
from lapel.services.images import Picture

__all__ = ["LIST_NAME", "BadOutput", "IssuedFiles", "check_output", "find_partial_output"]

LIST_NAME: Final = "issued.csv"

_SUFFIX: Final = {"image/png": ".png", "image/svg+xml": ".svg"}
_LIKE_A_FILE: Final = re.compile(r"\.(?=\w*[A-Za-z])\w{1,4}")
_UNSAFE_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")
_IN_MEMORY: Final = 1024 * 1024
_CHUNK: Final = 64 * 1024
_FASTEST: Final = 1


class BadOutput(InvalidInput):
    """The output cannot be written there."""

    code = "bad_output"
    hint = "Name a folder, which is created if it is missing, or a file that ends in .zip."


def check_output(target: Path, *, make: bool) -> None:
    """Check, before anything is issued, that files can be written there.

    Args:
        make: create the folder if it is missing.

    Raises:
        BadOutput: it is another kind of file, or cannot be written to.
    """
    if _is_zip(target):
        if target.is_dir():
            raise BadOutput(f"{target} is a folder, not a ZIP file.")
        folder = target.parent
        if not folder.is_dir():
            raise BadOutput(f"{folder} is not a folder.", hint="Create the folder first, or name another.")
    else:
        folder = target
        if target.exists() and not target.is_dir():
            raise BadOutput(f"{target} is an existing file, and not a .zip.")
        if not target.exists() and _LIKE_A_FILE.fullmatch(target.suffix):
            raise BadOutput(
                f"{target} would become a folder, but {target.suffix} is how a file's name ends.",
                hint="Name a file that ends in .zip, or a folder; an existing folder may have any name.",
            )
        if make:
            try:
                target.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise BadOutput(f"The folder {target} cannot be made: {error.strerror}.") from error
    if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
        raise BadOutput(f"The folder {folder} cannot be written to.")


def find_partial_output(target: Path) -> Sequence[Path]:
    """Return partial files of other runs there."""
    return find_partials(target.parent, target.name) if _is_zip(target) else find_partials(target)


def _is_zip(target: Path) -> bool:
    return target.suffix.lower() == ".zip"


class _Target(Protocol):
    """The folder or archive to which files are written."""

    def has_other(self, name: str, content: IO[bytes]) -> bool:
        """Return whether a file of that name exists with other content, so that it must not be overwritten."""
        ...

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]: ...


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def has_other(self, name: str, content: IO[bytes]) -> bool:
        path = self._path / name
        if path.is_symlink() or not path.is_file():
            return False
        content.seek(0)
        with path.open("rb") as file:
            while (chunk := content.read(_CHUNK)) == file.read(_CHUNK):
                if not chunk:
                    return False
        return True

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        return atomic_file(self._path / name)  # replaces a symbolic link instead of following it


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def has_other(self, name: str, content: IO[bytes]) -> bool:
        return False  # the archive is new, and only this run writes to it

    def open(self, name: str) -> IO[bytes]:
        return self._archive.open(name, "w")


class IssuedFiles:
    """Writes the files of one run. If the run is repeated, it writes all of them again, with the same content.

    Existing files with other content, such as those of another run, are not overwritten.

    Args:
        picture_of: returns the image into which a credential is baked; None for no images.
        address_of: returns a credential's address.
        list_file: a temporary file for the list.
    """

    def __init__(
        self,
        target: _Target,
        *,
        picture_of: Callable[[Credential], Awaitable[Picture]] | None,
        address_of: Callable[[UUID], str],
        list_file: IO[bytes],
    ) -> None:
        self._target = target
        self._picture_of = picture_of
        self._address_of = address_of
        self._pictures: dict[int | None, Picture] = {}
        self._list_text = io.TextIOWrapper(list_file, encoding="utf-8", newline="", write_through=True)
        self._list = csv.writer(self._list_text)
        self._list.writerow(["row", "id", "recipient", "credential", "file", "image"])

    @classmethod
    @contextmanager
    def into(
        cls,
        target: Path,
        *,
        picture_of: Callable[[Credential], Awaitable[Picture]] | None,
        address_of: Callable[[UUID], str],
    ) -> Iterator[IssuedFiles]:
        """Write into an existing folder, or into a ZIP file (a name that ends in .zip), which appears when complete.

        Raises:
            UnreadableFile: something cannot be written.
        """
        try:
            with _open_target(target) as opened, tempfile.SpooledTemporaryFile(_IN_MEMORY) as list_file:
                files = cls(opened, picture_of=picture_of, address_of=address_of, list_file=list_file)
                yield files
                files._write_list(list_file)
        except OSError as error:
            raise UnreadableFile(f"{target} cannot be written: {error.strerror or error}.") from error

    async def add(self, record: Record, credential: Credential) -> None:
        """Write one credential's files."""
        row_id = record.values.get("id", "")
        slug = _UNSAFE_IN_NAMES.sub("-", row_id).strip("-.")[:60]
        stem = f"{record.number:06}-{slug}" if slug else f"{record.number:06}"
        contents = {".jwt" if credential.format is CredentialFormat.VC_JWT else ".json": credential.signed}
        if self._picture_of is not None:
            picture = await self._picture(credential)
            contents[_SUFFIX[picture.media_type]] = bake(picture.content, credential.signed.decode())
        stem = self._free_stem(stem, {suffix: io.BytesIO(content) for suffix, content in contents.items()})
        for suffix, content in contents.items():
            with self._target.open(stem + suffix) as file:
                file.write(content)
        names = [stem + suffix for suffix in contents]
        name, image = names[0], names[1] if len(names) > 1 else ""
        recipient = record.values.get("email") or record.values.get("identity", "")
        address = self._address_of(credential.id)
        self._list.writerow([record.number, defuse(row_id), defuse(recipient), address, name, image])

    async def _picture(self, credential: Credential) -> Picture:
        assert self._picture_of is not None
        picture = self._pictures.get(credential.achievement_version)
        if picture is None:
            self._pictures.clear()  # one is enough: the version changes at most now and then
            picture = self._pictures[credential.achievement_version] = await self._picture_of(credential)
        return picture

    def _free_stem(self, stem: str, contents: Mapping[str, IO[bytes]]) -> str:
        """Return the stem, with a number if other files have it already, such as those of another award file."""
        candidate = stem
        for number in itertools.count(2):
            if not any(self._target.has_other(candidate + suffix, content) for suffix, content in contents.items()):
                break
            candidate = f"{stem}.{number}"
        return candidate

    def _write_list(self, list_file: IO[bytes]) -> None:
        self._list_text.flush()
        stem, dot, suffix = LIST_NAME.rpartition(".")
        name = self._free_stem(stem, {dot + suffix: list_file}) + dot + suffix
        list_file.seek(0)
        with self._target.open(name) as file:
            shutil.copyfileobj(list_file, file)


@contextmanager
def _open_target(target: Path) -> Iterator[_Target]:
    if not _is_zip(target):
        yield _Folder(target)
        return
    with (
        atomic_file(target) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=_FASTEST) as file,
    ):
        yield _Zip(file)
