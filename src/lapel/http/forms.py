"""Read forms as browsers send them: ``multipart/form-data`` (RFC 7578)."""

from __future__ import annotations

from typing import Final

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from lapel.http.call import Call
from lapel.http.errors import MalformedRequest

__all__ = ["read_form"]

_MAX_FIELDS: Final = 8


async def read_form(request: Call) -> dict[str, bytes]:
    """Return the content of each field by its name.

    The charset that a part declares is ignored: some take minutes to decode a few bytes (punycode), and some decode to
    text that is not valid (utf-7 can produce half a character).

    Raises:
        MalformedRequest: the body is not a form, has too many fields, or has a field twice.
    """
    body = await request.body()
    fields: dict[str, bytes] = {}
    name, content = "", bytearray()
    try:
        with PushMultipartParser(request.content_type[1].get("boundary", ""), max_segment_count=_MAX_FIELDS) as parser:
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    name, content = event.name or "", bytearray()
                elif event:
                    content += event
                elif name in fields:
                    raise MalformedRequest(f"The field {name[:40]!r} is in the form more than once.")
                else:
                    fields[name] = bytes(content)
    except (MultipartError, UnicodeError) as error:
        raise MalformedRequest(
            "The body is not a form that can be read.",
            hint=f"Send multipart/form-data with its boundary, and at most {_MAX_FIELDS} fields.",
        ) from error
    return fields
