"""Forms as browsers send them: ``multipart/form-data`` (RFC 7578)."""

from __future__ import annotations

from typing import Final

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from lapel.http.call import Call
from lapel.http.errors import MalformedRequest

__all__ = ["read_form"]

_MOST_FIELDS: Final = 8


async def read_form(request: Call) -> dict[str, bytes]:
    """The fields by their names, each with the bytes that it has.

    What a part says of its own charset is not asked: there are charsets that take minutes for few bytes (punycode),
    and some whose text is none (utf-7 writes half a character).

    Raises:
        MalformedRequest: it is no form, or has too many fields, or has one of them twice.
    """
    body = await request.body()
    fields: dict[str, bytes] = {}
    name, content = "", bytearray()
    try:
        with PushMultipartParser(request.content_type[1].get("boundary", ""), max_segment_count=_MOST_FIELDS) as parser:
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
            hint=f"Send multipart/form-data with its boundary, and at most {_MOST_FIELDS} fields.",
        ) from error
    return fields
