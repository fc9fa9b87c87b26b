"""The body of a VC API request and its options: unknown ones are refused, never ignored (VCALM, 2.4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from lapel.domain.json import JsonObject
from lapel.errors import FieldError, InvalidInput, pointer_step

__all__ = ["check_names", "flag", "member", "options_of", "text"]

_CHECKS: Final = frozenset({"proof", "credentialStatus", "credentialSchema", "validity"})


def member(body: JsonObject, *names: str) -> tuple[str, JsonObject]:
    """Return the name and the value, an object, of the one member of `names` that the body has.

    Raises:
        InvalidInput: the body has none of them or several, or members besides it and ``options``; or it is no object.
    """
    present = [name for name in names if name in body]
    if len(present) != 1:
        raise _refused(f"/{names[0]}", "is missing" if not present else "must not come with another", "missing")
    (name,) = present
    for other in body:
        if other not in (name, "options"):
            raise _refused(f"/{pointer_step(other[:80])}", "is not a member of this request", "unknown_option")
    value = body[name]
    if not isinstance(value, Mapping):
        raise _refused(f"/{name}", "must be an object", "invalid_type")
    return name, value


def options_of(body: JsonObject, *, known: Collection[str]) -> JsonObject:
    """Return the request's options; empty if it has none.

    Raises:
        InvalidInput: they are not an object, or one of them is unknown.
    """
    options = body.get("options")
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise _refused("/options", "must be an object", "invalid_type")
    for name in options:
        if name not in known:
            pointer = f"/options/{pointer_step(name[:80])}"
            raise _refused(pointer, f"is not understood here; there are {', '.join(sorted(known))}")
    return options


def text(options: JsonObject, name: str, *, max_length: int = 1_000) -> str | None:
    """Return a text option, or None. Raises InvalidInput if it is not a text of 1 to `max_length` characters."""
    value = options.get(name)
    if value is not None and (not isinstance(value, str) or not value or len(value) > max_length):
        raise _refused(f"/options/{name}", f"must be a text of at most {max_length:,} characters")
    return value


def flag(options: JsonObject, name: str, *, default: bool) -> bool:
    """Return a boolean option. Raises InvalidInput if it is something else."""
    value = options.get(name, default)
    if not isinstance(value, bool):
        raise _refused(f"/options/{name}", "must be true or false")
    return value


def check_names(options: JsonObject) -> None:
    """Check the option ``checks``, the names of checks to make. It has no effect: all checks are always made.

    Raises:
        InvalidInput: it is not an array of known names.
    """
    value = options.get("checks", [])
    if not isinstance(value, list) or any(not isinstance(name, str) or name not in _CHECKS for name in value):
        raise _refused("/options/checks", f"must be an array of {', '.join(sorted(_CHECKS))}")


def _refused(pointer: str, detail: str, code: str = "unknown_option") -> InvalidInput:
    return InvalidInput(f"{pointer} {detail}.", errors=[FieldError(pointer, detail, code)])
