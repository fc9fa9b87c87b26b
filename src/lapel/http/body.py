"""Read a JSON body strictly into a type, with errors that say what would be right."""

from __future__ import annotations

import re
from itertools import islice
from typing import Final, TypeVar

from msgspec import DecodeError, ValidationError, json

from lapel.errors import TooLarge
from lapel.http.errors import EmptyBody, MalformedRequest
from lapel.services.shape_reading import shape_error

__all__ = ["MAX_PARTS", "read_body"]

Shape = TypeVar("Shape")

MAX_PARTS: Final = 100_000
"""The maximum number of members and items in a body: making a million of them would block all others for a second."""

# It matches wherever the last match ended, so that no text is searched twice.
_PART: Final = re.compile(rb'(?!\Z)(?>[^",\[{]++|"[^"\\]*+(?>\\.[^"\\]*+)*+\\?+"?+)*+(?:[,\[{]|\Z)', re.DOTALL)
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def read_body(body: bytes, shape: type[Shape], *, max_parts: int = MAX_PARTS) -> Shape:
    """Decode the body as a `shape`.

    Raises:
        TooLarge: it has more than `max_parts` members and items.
        MalformedRequest: the body is empty, or not JSON.
        InvalidInput: members are missing, unknown or of the wrong type; the FieldErrors point at all of them.
    """
    if not body.strip():
        raise EmptyBody
    if _has_more_parts(body, max_parts):
        raise TooLarge(f"The body has more than {max_parts:,} members and items.")
    try:
        try:
            return json.decode(body, type=shape)
        except ValidationError as error:  # perhaps in front of what makes the body no JSON at all
            raise shape_error(json.decode(body), shape, "", error) from error
    except UnicodeDecodeError as error:
        raise MalformedRequest("The body is not UTF-8.", hint="JSON is always UTF-8 (RFC 8259, 8.1).") from error
    except DecodeError as error:
        raise MalformedRequest(_why_no_json(str(error), body)) from error
    except RecursionError as error:
        raise MalformedRequest("The body's JSON is nested too deeply.") from error


def _has_more_parts(body: bytes, most: int) -> bool:
    """Return whether the JSON has more than `most` commas and opening brackets, not counting those in texts."""
    if sum(map(body.count, b",[{")) <= most:
        return False
    return sum(1 for _ in islice(_PART.finditer(body), most + 2)) > most + 1  # one match is what follows the last


def _why_no_json(message: str, body: bytes) -> str:
    if "surrogate" in message or ("truncated" in message and _is_json_but_for_surrogates(body)):
        return "A text in the body has half of a surrogate pair (such as \\ud800), which is not a character."
    if "truncated" in message:
        return "The body is not JSON: it ends too early."
    return f"The body is not JSON: {message.removeprefix('JSON is malformed: ')}."


def _is_json_but_for_surrogates(body: bytes) -> bool:
    """Return whether half a surrogate pair is the only fault; at a string's end the decoder reports a truncation."""
    if not _SURROGATE.search(body):
        return False
    try:
        json.decode(_SURROGATE.sub(b"?", body))
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
