"""The pinned contexts, by URL. They are never fetched from the network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Final

from lapel.credentials.jsonld.errors import UnknownContext
from lapel.credentials.jsonld.tables import read_table
from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import LapelError

__all__ = ["ContextFolderError", "Contexts", "unknown_context"]

MAX_CONTEXT_BYTES: Final = 1_000_000
MAX_CONTEXT_FILES: Final = 1_000
MAP_FILE: Final = "map.json"


class ContextFolderError(LapelError):
    """The folder of further contexts cannot be used."""

    code = "contexts_folder_invalid"
    hint = "LAPEL_CONTEXTS_DIR holds JSON-LD contexts and a map.json of URL to file name, or files with an `id`."


class Contexts:
    """An immutable registry of JSON-LD context documents by URL.

    Compiled contexts are cached for each registry, so use one for the lifetime of the process:
    `Contexts.bundled()` always returns the same object.
    """

    def __init__(self, documents: Mapping[str, JsonObject], *, bundled: frozenset[str] = frozenset()) -> None:
        self._documents: Mapping[str, JsonObject] = MappingProxyType(dict(documents))
        self._bundled = bundled

    @staticmethod
    def bundled() -> Contexts:
        """Return the contexts from the term tables in this package."""
        return _bundled()

    def with_folder(self, path: Path) -> Contexts:
        """Return these contexts together with those of an operator's folder (`LAPEL_CONTEXTS_DIR`).

        The URLs come from `map.json` (URL to file name). A `.json` or `.jsonld` file that is not listed there must
        have its URL in a member `id` or `@id` beside `@context`, or is ignored. Bundled contexts cannot be replaced,
        since the tests compare them with the published documents.

        Raises:
            ContextFolderError: the folder, the map or a listed file cannot be read.
        """
        return self.with_documents(_read_folder(path))

    def with_documents(self, documents: Mapping[str, JsonObject]) -> Contexts:
        """Return these contexts together with further ones by URL, which do not replace any."""
        return Contexts({**documents, **self._documents}, bundled=self._bundled)

    def urls(self) -> tuple[str, ...]:
        """Return every pinned URL, sorted."""
        return tuple(sorted(self._documents))

    def knows(self, url: str) -> bool:
        """Return whether the context at this URL is pinned."""
        return url in self._documents

    def document(self, url: str) -> JsonObject:
        """Return the JSON-LD context document at this URL, `{"@context": …}`. It is shared: do not modify it.

        Raises:
            UnknownContext: it is not pinned.
        """
        try:
            return self._documents[url]
        except KeyError:
            raise unknown_context(url) from None

    def added(self) -> Mapping[str, JsonObject]:
        """Return the documents that are not bundled, which a worker process has to be sent."""
        return {url: document for url, document in self._documents.items() if url not in self._bundled}


def unknown_context(url: str) -> UnknownContext:
    """Return the error for a context that is not pinned."""
    return UnknownContext(f"the context {url[:200]!a} is not known here, and contexts are never fetched")


@cache
def _bundled() -> Contexts:
    folder = resources.files("lapel.credentials.contexts")
    tables = [read_table(file.read_text(encoding="utf-8")) for file in folder.iterdir() if file.name.endswith(".terms")]
    documents: dict[str, JsonObject] = {table.url: {"@context": table.context} for table in tables}
    return Contexts(documents, bundled=frozenset(documents))


def _read_folder(path: Path) -> dict[str, JsonObject]:
    try:
        files = sorted(file for file in path.iterdir() if file.suffix in {".json", ".jsonld"})
    except OSError as error:
        raise ContextFolderError(f"cannot read the folder {path}: {error.strerror}") from error
    if len(files) > MAX_CONTEXT_FILES:
        raise ContextFolderError(f"the folder {path} holds more than {MAX_CONTEXT_FILES} files")
    documents: dict[str, JsonObject] = {}
    mapped: set[str] = set()
    map_file = path / MAP_FILE
    if map_file in files:
        for url, name in _read_json(map_file).items():
            # Only files in the folder itself: the map is data and must not choose arbitrary paths.
            if not isinstance(name, str) or Path(name).name != name:
                raise ContextFolderError(f"{map_file}: {url!a} must name a file in the same folder")
            documents[url] = _context_of(path / name)
            mapped.add(name)
    for file in files:
        if file.name in mapped or file == map_file:
            continue
        document = _read_json(file)
        own_url = document.get("@id", document.get("id"))
        if isinstance(own_url, str) and "@context" in document:
            documents.setdefault(own_url, {"@context": document["@context"]})
    return documents


def _context_of(file: Path) -> JsonObject:
    document = _read_json(file)
    if "@context" not in document:
        raise ContextFolderError(f"{file} is not a JSON-LD context: it has no `@context`")
    return {"@context": document["@context"]}


def _read_json(file: Path) -> dict[str, JsonValue]:
    try:
        if file.stat().st_size > MAX_CONTEXT_BYTES:
            raise ContextFolderError(f"{file} is larger than {MAX_CONTEXT_BYTES} bytes")
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ContextFolderError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ContextFolderError(f"{file} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ContextFolderError(f"{file} does not hold a JSON object")
    return document
