"""Read the badge that a request asks to verify: the badge itself, its URL, or a form with either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lapel.credentials.strict_json import read_object
from lapel.errors import FieldError, InvalidInput, LapelError, pointer_step
from lapel.http.body import read_body
from lapel.http.call import Call, only_queries
from lapel.http.errors import MalformedRequest, UnsupportedMediaType
from lapel.http.forms import read_form
from lapel.openbadges.syntax import MAX_ADDRESS_LENGTH
from lapel.services.requests import VerificationByAddress

__all__ = ["SubmittedBadge", "read_submitted_badge"]

_MEDIA_TYPES: Final = frozenset(
    {
        "",
        "application/jose",
        "application/json",
        "application/jwt",
        "application/octet-stream",
        "application/vc",
        "application/vc+jwt",
        "application/x-www-form-urlencoded",  # curl's default for --data
        "image/png",
        "image/svg+xml",
        "text/plain",
    }
)

_FIELDS: Final = ("file", "text", "url", "recipient")
_MAX_URL_REQUEST_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedBadge:
    """A badge: its content, or its `url`.

    Attributes:
        media_type: the content's media type, as the sender declares it; None for a file of a form.
        recipient: who should have earned the badge; None if this is not to be checked.
    """

    content: bytes = b""
    media_type: str | None = None
    url: str | None = None
    recipient: str | None = None


async def read_submitted_badge(request: Call) -> SubmittedBadge:
    """Read the badge from a request, in whichever way it was sent.

    Raises:
        UnsupportedMediaType: the body's media type is not one that a badge can have.
        MalformedRequest: the body is empty, or a form that cannot be read.
        InvalidInput: a form has several badges, or none, or an unknown field; or `recipient` is not valid.
    """
    only_queries(request, "recipient")
    media_type = request.content_type[0].lower()
    if media_type == "multipart/form-data":
        return await _read_form_badge(request)
    if media_type not in _MEDIA_TYPES and not media_type.endswith("+json"):
        raise UnsupportedMediaType(hint="Send JSON, a JWS as text, image/png or image/svg+xml.")
    content = await request.body()
    if not content.strip():
        raise MalformedRequest("The body is empty.", hint="Send a credential, a badge image, or its URL.")
    if _is_url_request(content):
        by_url = read_body(content, VerificationByAddress)
        return SubmittedBadge(url=by_url.url, recipient=_recipient(request, by_url.recipient))
    return SubmittedBadge(content=content, media_type=media_type, recipient=_recipient(request, None))


async def _read_form_badge(request: Call) -> SubmittedBadge:
    form = await read_form(request)
    unknown = sorted(form.keys() - set(_FIELDS))
    if unknown:
        detail = "is not a field of this form; there are file, text, url and recipient"
        name = unknown[0][:80]
        raise InvalidInput(
            f"{name or 'A field without a name'} {detail}.",
            errors=[FieldError(f"/{pointer_step(name)}", detail, "unknown_member")],
        )
    file, text, url = form.get("file", b""), _text(form, "text"), _text(form, "url")
    recipient = _recipient(request, _text(form, "recipient"))
    given = sum(map(bool, (file, text, url)))  # an empty field counts as missing
    if given != 1:
        raise InvalidInput(
            "More than one badge was given." if given else "No badge was given.",
            hint="Choose its file, paste its text, or give its address: one of the fields `file`, `text` and `url`.",
        )
    return SubmittedBadge(content=file or (text or "").encode(), url=url, recipient=recipient)


def _text(form: dict[str, bytes], name: str) -> str | None:
    """Return the field's text without the white space that comes along when it is pasted; None if it is empty."""
    try:
        text = form.get(name, b"").decode()
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"The field {name} is not UTF-8.", hint="Forms are UTF-8 (RFC 7578, 5.1.2).") from error
    return text.strip() or text or None


def _recipient(request: Call, in_body: str | None) -> str | None:
    """Return the expected recipient, which can stand in the query, in the body, or in both.

    Raises:
        InvalidInput: it is empty, so that nothing would be checked, or too long, or query and body differ.
    """
    expected = {name for name in (request.query_params.get("recipient"), in_body) if name is not None}
    if not expected:
        return None
    if len(expected) > 1:
        code, detail = "not_allowed", "must be the same in the query and in the body"
    elif not (recipient := expected.pop()).strip():
        code, detail = "empty", "must not be empty: say whom you expect, or leave it out"
    elif len(recipient) > MAX_ADDRESS_LENGTH:
        # It is hashed for each of a badge's up to 1,000 identities, each with its own salt.
        code, detail = "too_large", f"must have at most {MAX_ADDRESS_LENGTH} characters"
    else:
        return recipient
    raise InvalidInput(f"recipient {detail}.", errors=[FieldError("/recipient", detail, code)])


def _is_url_request(content: bytes) -> bool:
    """Return whether the body is ``{"url": …}``: a JSON object with that member and without ``@context``.

    A badge always has a context. Invalid JSON is left to the verifier, which reports what is wrong with it.
    """
    if len(content) > _MAX_URL_REQUEST_BYTES or b'"url"' not in content:
        return False
    try:
        document = read_object(content)
    except LapelError:
        return False
    return "url" in document and "@context" not in document
