"""JSON-LD 1.1 to RDF quads, with pinned contexts only.

`to_quads` is the fast path, for documents that only use published contexts in the ways that badges do. If it raises
`NeedsGeneralPath`, `GeneralPath` runs a complete JSON-LD processor in a process that can be killed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapel.credentials.jsonld.contexts import ContextFolderError, Contexts
from lapel.credentials.jsonld.errors import (
    DocumentTooLarge,
    DroppedValue,
    GeneralPathBusy,
    GeneralPathFailed,
    GeneralPathTimeout,
    InvalidContext,
    JsonLdError,
    NeedsGeneralPath,
    RelativeIri,
    UndefinedTerm,
    UnknownContext,
    UnsafeNumber,
)
from lapel.credentials.jsonld.fast import to_quads
from lapel.credentials.jsonld.general_path import GeneralPath

if TYPE_CHECKING:
    from lapel.credentials.jsonld.general import general_to_quads

__all__ = [
    "ContextFolderError",
    "Contexts",
    "DocumentTooLarge",
    "DroppedValue",
    "GeneralPath",
    "GeneralPathBusy",
    "GeneralPathFailed",
    "GeneralPathTimeout",
    "InvalidContext",
    "JsonLdError",
    "NeedsGeneralPath",
    "RelativeIri",
    "UndefinedTerm",
    "UnknownContext",
    "UnsafeNumber",
    "general_to_quads",
    "to_quads",
]


def __getattr__(name: str) -> object:
    # Importing the complete processor takes a tenth of a second, and only the worker process needs it.
    if name == "general_to_quads":
        from lapel.credentials.jsonld.general import general_to_quads

        return general_to_quads
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
