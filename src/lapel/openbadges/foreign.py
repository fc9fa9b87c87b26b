"""JSON objects whose members somebody else has chosen: extensions of Open Badges 2.0, endorsements.

What is asked of all of them is that they can be kept, signed and read again without loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from lapel.domain.json import JsonValue
from lapel.openbadges.problems import Problems, unwritable
from lapel.openbadges.syntax import iri_problem, url_problem

__all__ = ["extensions", "foreign_object"]

_MOST_EXTENSIONS: Final = 20
_LARGEST: Final = 16 * 1024
_DEEPEST: Final = 16


def foreign_object(
    problems: Problems, given: Mapping[str, object], pointer: str, *, most_bytes: int = _LARGEST
) -> dict[str, JsonValue] | None:
    """The object as it came out of JSON, or None after noting at `pointer` why it cannot be taken as it is."""
    if problem := _problem(given):
        problems.add(pointer, problem, "bad_value")
        return None
    encoded = msgspec.json.encode(given)
    if len(encoded) > most_bytes:
        problems.add(pointer, f"must have at most {most_bytes:,} bytes, not {len(encoded):,}", "too_large")
        return None
    found: dict[str, JsonValue] = msgspec.json.decode(encoded)
    return found


def extensions(
    problems: Problems, given: Mapping[str, Mapping[str, object]] | None, pointer: str
) -> dict[str, JsonValue]:
    """Extensions by name (OB 2.0, Extensions): each an object with an ``@context`` of its own and a type."""
    if not given or not problems.count(list(given), pointer, most=_MOST_EXTENSIONS):
        return {}
    found: dict[str, JsonValue] = {}
    for name, value in given.items():
        where = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
        if iri_problem(name):
            problems.add(where, "must have a name such as extensions:ApplyLink, or a full address", "bad_iri")
        contexts, types = value.get("@context"), value.get("type")
        urls = contexts if isinstance(contexts, list) else [contexts]
        if not urls or any(not isinstance(url, str) or url_problem(url) for url in urls):
            problems.add(f"{where}/@context", "must be the web address of a context, or several", "bad_url")
        if not isinstance(types, list) or "Extension" not in types:
            problems.add(f"{where}/type", "must be an array with Extension in it", "not_allowed")
        found[name] = foreign_object(problems, value, where)
    return found


def _problem(value: object) -> str | None:
    """What would be lost or read in several ways, looked for without recursion: the depth is a stranger's choice."""
    level: list[object] = [value]
    for _ in range(_DEEPEST):
        inner: list[object] = []
        for item in level:
            if item is None:
                return "must not hold null"
            if isinstance(item, str) and unwritable(item):
                return "must not contain control characters but tabs and line ends"
            if isinstance(item, Mapping):
                inner.extend(item.keys())
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        if not inner:
            return None
        level = inner
    return f"must not be nested deeper than {_DEEPEST}"
