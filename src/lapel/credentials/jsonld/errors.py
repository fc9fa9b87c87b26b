"""The errors in JSON-LD documents, with stable codes and JSON Pointers."""

from __future__ import annotations

from lapel.errors import FieldError, InvalidInput, TooLarge, Unavailable, Unsupported, pointer_step

__all__ = [
    "DocumentTooLarge",
    "DroppedValue",
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
    "pointer_to",
]


def pointer_to(*steps: str | int) -> str:
    """Return the JSON Pointer (RFC 6901, section 3) of member names and array indices."""
    return "".join(f"/{pointer_step(str(step))}" for step in steps)


class JsonLdError(InvalidInput):
    """The document is not valid JSON-LD.

    Attributes:
        pointer: where in the document, as a JSON Pointer; ``""`` is the whole document.
    """

    code = "jsonld_invalid"

    def __init__(self, detail: str | None = None, *, pointer: str = "", hint: str | None = None) -> None:
        super().__init__(detail, hint=hint)
        self.pointer = pointer
        self._locate()

    def within(self, step: str | int) -> None:
        """Prepend a member name or array index to the pointer; called from the inside out."""
        self.pointer = pointer_to(step) + self.pointer
        self._locate()

    def _locate(self) -> None:
        self.errors = (FieldError(pointer=self.pointer, detail=self.detail, code=self.code),)


class UndefinedTerm(JsonLdError):
    """A term or type has no meaning in the contexts of the document, so a signature would not cover it."""

    code = "jsonld_undefined_term"
    hint = "Add the context that defines it to `@context`, or remove it."


class RelativeIri(JsonLdError):
    """An identifier is not an absolute IRI, so a signature would not cover it."""

    code = "jsonld_relative_iri"
    hint = "Write the full address, such as https://example.org/1 or urn:uuid:…."


class DroppedValue(JsonLdError):
    """A value says nothing in JSON-LD, so a signature would not cover it."""

    code = "jsonld_dropped_value"


class UnsafeNumber(JsonLdError):
    """A number is so large, so small or so exact that implementations write it differently."""

    code = "jsonld_unsafe_number"
    hint = "Write it as a string."


class InvalidContext(JsonLdError):
    """A context is malformed, or redefines a protected term."""

    code = "jsonld_invalid_context"


class UnknownContext(JsonLdError):
    """A context is not among the pinned ones, and contexts are never fetched from the network."""

    code = "jsonld_unknown_context"
    hint = "An operator can add the context document to the folder LAPEL_CONTEXTS_DIR."


class DocumentTooLarge(TooLarge):
    """The document has more nodes, or nests deeper, than this server accepts."""

    code = "jsonld_too_large"


class NeedsGeneralPath(Unsupported):
    """The document uses a feature of JSON-LD that only the general processor handles."""

    code = "jsonld_needs_general_path"


class GeneralPathTimeout(TooLarge):
    """Processing the JSON-LD of this document took too long and was stopped."""

    code = "jsonld_timeout"
    hint = "Use only the published contexts of Open Badges and Verifiable Credentials."


class GeneralPathBusy(Unavailable):
    """Too many documents wait for the general JSON-LD processor."""

    code = "jsonld_busy"


class GeneralPathFailed(Unavailable):
    """The general JSON-LD processor stopped unexpectedly."""

    code = "jsonld_worker_failed"
