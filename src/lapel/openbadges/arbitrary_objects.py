"""JSON objects whose members Lapel does not define: extensions of Open Badges 2.0, endorsements.

They are only required to be storable, signable and readable without loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from lapel.domain.json import JsonValue
from lapel.errors import pointer_step
from lapel.openbadges.problems import Problems, has_control_characters
from lapel.openbadges.syntax import iri_problem, url_problem

__all__ = ["arbitrary_object", "extensions"]

_MAX_EXTENSIONS: Final = 20
_MAX_BYTES: Final = 16 * 1024
_MAX_DEPTH: Final = 16


def arbitrary_object(
    problems: Problems, value: Mapping[str, object], pointer: str, *, max_bytes: int = _MAX_BYTES
) -> dict[str, JsonValue] | None:
    """Return the object with plain JSON types, or None after noting at `pointer` why it is not acceptable."""
    if problem := _problem(value):
        problems.add(pointer, problem, "bad_value")
        return None
    encoded = msgspec.json.encode(value)
    if len(encoded) > max_bytes:
        problems.add(pointer, f"must have at most {max_bytes:,} bytes, not {len(encoded):,}", "too_large")
        return None
    decoded: dict[str, JsonValue] = msgspec.json.decode(encoded)
    return decoded


def extensions(
    problems: Problems, values: Mapping[str, Mapping[str, object]] | None, pointer: str
) -> dict[str, JsonValue]:
    """Check extensions by name (OB 2.0, Extensions): each is an object with an ``@context`` and a ``type``."""
    if not values or not problems.count(list(values), pointer, max_items=_MAX_EXTENSIONS):
        return {}
    accepted: dict[str, JsonValue] = {}
    for name, value in values.items():
        item_pointer = f"{pointer}/{pointer_step(name)}"
        if iri_problem(name):
            problems.add(item_pointer, "must have a name such as extensions:ApplyLink, or a full address", "bad_iri")
        accepted[name] = checked = arbitrary_object(problems, value, item_pointer)
        if checked is None:  # it may be of any size
            continue
        contexts, types = checked.get("@context"), checked.get("type")
        urls = contexts if isinstance(contexts, list) else [contexts]
        if not urls or any(not isinstance(url, str) or url_problem(url) for url in urls):
            problems.add(f"{item_pointer}/@context", "must be the web address of a context, or several", "bad_url")
        if not isinstance(types, list) or "Extension" not in types:
            problems.add(f"{item_pointer}/type", "must be an array with Extension in it", "not_allowed")
    return accepted


def _problem(value: object) -> str | None:
    """Return why `value` would be lost or is ambiguous, or None. Not recursive, because the input sets the depth."""
    level: list[object] = [value]
    for _ in range(_MAX_DEPTH):
        inner: list[object] = []
        for item in level:
            if item is None:
                return "must not hold null"
            if isinstance(item, str) and has_control_characters(item):
                return "must not contain control characters but tabs and line ends"
            if isinstance(item, Mapping):
                inner.extend(item.keys())
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        if not inner:
            return None
        level = inner
    return f"must not be nested deeper than {_MAX_DEPTH}"
