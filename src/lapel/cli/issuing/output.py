"""What was issued, as files: each credential as it was signed, the image with it inside, and a list of them all."""

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
from lapel.cli.issuing.award_file import Record
from lapel.cli.issuing.formulas import defused
from lapel.cli.issuing.whole_files import partials_in, whole_file
from lapel.credentials.baking import bake
from lapel.domain.credential import Credential, CredentialFormat
from lapel.errors import InvalidInput
from lapel.services.images import Picture

__all__ = ["LIST_NAME", "BadOutput", "IssuedFiles", "check_output", "partial_output"]

LIST_NAME: Final = "issued.csv"

_SUFFIX: Final = {"image/png": ".png", "image/svg+xml": ".svg"}
_LIKE_A_FILE: Final = re.compile(r"\.(?=\w*[A-Za-z])\w{1,4}")
_STRANGE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_IN_MEMORY: Final = 1024 * 1024
_CHUNK: Final = 64 * 1024
_FASTEST: Final = 1


class BadOutput(InvalidInput):
    """The output cannot be written there."""

    code = "bad_output"
    hint = "Name a folder, which is created if it is missing, or a file that ends in .zip."


def check_output(target: Path, *, make: bool) -> None:
    """See, before anything is issued, that files can be written there.

    Args:
        make: make the folder if it is missing.

    Raises:
        BadOutput: it is another kind of file, or it may not be written there.
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


def partial_output(target: Path) -> Sequence[Path]:
    """What other runs have begun to write there and not ended."""
    return partials_in(target.parent, target.name) if _is_zip(target) else partials_in(target)


def _is_zip(target: Path) -> bool:
    return target.suffix.lower() == ".zip"


class _Place(Protocol):
    """Where files go."""

    def has_other(self, name: str, content: IO[bytes]) -> bool:
        """Whether a file of that name is there that holds something else, and so is not to be written over."""
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
        return whole_file(self._path / name)  # which also replaces a symbolic link, instead of following it


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def has_other(self, name: str, content: IO[bytes]) -> bool:
        return False  # it is of this run alone

    def open(self, name: str) -> IO[bytes]:
        return self._archive.open(name, "w")


class IssuedFiles:
    """Writes the files of one run. A run that is begun again writes all of them again, with the same content.

    Files in a folder that say something else, such as those of another run, are left as they are.

    Args:
        picture_of: the image that a credential is to be baked into; None: no images.
        address_of: a credential's address.
    """

    def __init__(
        self,
        place: _Place,
        *,
        picture_of: Callable[[Credential], Awaitable[Picture]] | None,
        address_of: Callable[[UUID], str],
        listed: IO[bytes],
    ) -> None:
        self._place = place
        self._picture_of = picture_of
        self._address_of = address_of
        self._pictures: dict[int | None, Picture] = {}
        self._listed = io.TextIOWrapper(listed, encoding="utf-8", newline="", write_through=True)
        self._list = csv.writer(self._listed)
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
        """Into a folder that is there, or into a ZIP file (a name with that end), which is there once it is whole.

        Raises:
            UnreadableFile: something cannot be written.
        """
        try:
            with _placed(target) as place, tempfile.SpooledTemporaryFile(_IN_MEMORY) as listed:
                files = cls(place, picture_of=picture_of, address_of=address_of, listed=listed)
                yield files
                files._end(listed)
        except OSError as error:
            raise UnreadableFile(f"{target} cannot be written: {error.strerror or error}.") from error

    async def add(self, record: Record, credential: Credential) -> None:
        """Write one credential's files."""
        row_id = record.values.get("id", "")
        slug = _STRANGE.sub("-", row_id).strip("-.")[:60]
        stem = f"{record.number:06}-{slug}" if slug else f"{record.number:06}"
        written = {".jwt" if credential.format is CredentialFormat.VC_JWT else ".json": credential.signed}
        if self._picture_of is not None:
            picture = await self._picture(credential)
            written[_SUFFIX[picture.media_type]] = bake(picture.content, credential.signed.decode())
        stem = self._free_stem(stem, {suffix: io.BytesIO(content) for suffix, content in written.items()})
        for suffix, content in written.items():
            with self._place.open(stem + suffix) as file:
                file.write(content)
        names = [stem + suffix for suffix in written]
        name, image = names[0], names[1] if len(names) > 1 else ""
        recipient = record.values.get("email") or record.values.get("identity", "")
        address = self._address_of(credential.id)
        self._list.writerow([record.number, defused(row_id), defused(recipient), address, name, image])

    async def _picture(self, credential: Credential) -> Picture:
        assert self._picture_of is not None
        found = self._pictures.get(credential.achievement_version)
        if found is None:
            self._pictures.clear()  # rows of another version come in a run, if at all
            found = self._pictures[credential.achievement_version] = await self._picture_of(credential)
        return found

    def _free_stem(self, stem: str, contents: Mapping[str, IO[bytes]]) -> str:
        """The stem, or the next one, under which nothing else is there: rows of another file have the same numbers."""
        found = stem
        for number in itertools.count(2):
            if not any(self._place.has_other(found + suffix, content) for suffix, content in contents.items()):
                break
            found = f"{stem}.{number}"
        return found

    def _end(self, listed: IO[bytes]) -> None:
        self._listed.flush()
        stem, dot, suffix = LIST_NAME.rpartition(".")
        name = self._free_stem(stem, {dot + suffix: listed}) + dot + suffix
        listed.seek(0)
        with self._place.open(name) as file:
            shutil.copyfileobj(listed, file)


@contextmanager
def _placed(target: Path) -> Iterator[_Place]:
    if not _is_zip(target):
        yield _Folder(target)
        return
    with (
        whole_file(target) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=_FASTEST) as file,
    ):
        yield _Zip(file)
