"""What is given to be verified, and how: a badge itself, its address, or a form with one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lapel.credentials.strict_json import read_object
from lapel.errors import FieldError, InvalidInput, LapelError
from lapel.http.body import read_body
from lapel.http.call import Call, only_queries
from lapel.http.errors import MalformedRequest, UnsupportedMediaType
from lapel.http.forms import read_form
from lapel.openbadges.syntax import MAX_ADDRESS_LENGTH
from lapel.services.requests import VerificationByAddress

__all__ = ["BadgeGiven", "badge_given"]

_READABLE: Final = frozenset(
    {
        "",
        "application/jose",
        "application/json",
        "application/jwt",
        "application/octet-stream",
        "application/vc",
        "application/vc+jwt",
        "application/x-www-form-urlencoded",  # what curl says of any --data
        "image/png",
        "image/svg+xml",
        "text/plain",
    }
)

_FIELDS: Final = ("file", "text", "url", "recipient")
_LARGEST_ADDRESS: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeGiven:
    """A badge: its content, or the `url` where it is.

    Attributes:
        media_type: what its sender calls the content; None where nobody says.
        recipient: who should have earned it, if that is to be checked.
    """

    content: bytes = b""
    media_type: str | None = None
    url: str | None = None
    recipient: str | None = None


async def badge_given(request: Call) -> BadgeGiven:
    """The badge in a request, whichever way it is sent.

    Raises:
        UnsupportedMediaType: the body is called something that no badge is.
        MalformedRequest: it is empty, or a form that cannot be read.
        InvalidInput: a form has several badges, or none, or another field; or nobody is expected.
    """
    only_queries(request, "recipient")
    media_type = request.content_type[0].lower()
    if media_type == "multipart/form-data":
        return await _in_a_form(request)
    if media_type not in _READABLE and not media_type.endswith("+json"):
        raise UnsupportedMediaType(hint="Send JSON, a JWS as text, image/png or image/svg+xml.")
    content = await request.body()
    if not content.strip():
        raise MalformedRequest("The body is empty.", hint="Send a credential, a badge image, or its URL.")
    if _names_an_address(content):
        asked = read_body(content, VerificationByAddress)
        return BadgeGiven(url=asked.url, recipient=_recipient(request, asked.recipient))
    return BadgeGiven(content=content, media_type=media_type, recipient=_recipient(request, None))


async def _in_a_form(request: Call) -> BadgeGiven:
    """A field left empty is as good as none."""
    form = await read_form(request)
    unknown = sorted(form.keys() - set(_FIELDS))
    if unknown:
        detail = "is not a field of this form; there are file, text, url and recipient"
        name = unknown[0][:80]
        raise InvalidInput(
            f"{name or 'A field without a name'} {detail}.", errors=[FieldError(f"/{name}", detail, "unknown_member")]
        )
    file, text, url = form.get("file", b""), _text(form, "text"), _text(form, "url")
    recipient = _recipient(request, _text(form, "recipient"))
    given = sum(map(bool, (file, text, url)))
    if given != 1:
        raise InvalidInput(
            "More than one badge was given." if given else "No badge was given.",
            hint="Choose its file, paste its text, or give its address: one of the fields `file`, `text` and `url`.",
        )
    return BadgeGiven(content=file or (text or "").encode(), url=url, recipient=recipient)


def _text(form: dict[str, bytes], name: str) -> str | None:
    """What is in the field, without the spaces that come along when it is pasted; None for nothing at all."""
    try:
        text = form.get(name, b"").decode()
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"The field {name} is not UTF-8.", hint="Forms are UTF-8 (RFC 7578, 5.1.2).") from error
    return text.strip() or text or None


def _recipient(request: Call, inside: str | None) -> str | None:
    """Whom the caller expects: what the query and the body say, which must not differ.

    Raises:
        InvalidInput: it is empty, so that nothing would be checked, or too long, or they differ.
    """
    given = {name for name in (request.query_params.get("recipient"), inside) if name is not None}
    if not given:
        return None
    if len(given) > 1:
        detail = "must be the same in the query and in the body"
    elif not (recipient := given.pop()).strip():
        detail = "must not be empty: say whom you expect, or leave it out"
    elif len(recipient) > MAX_ADDRESS_LENGTH:
        # A badge may name a thousand recipients, and for each this text is hashed with another salt.
        detail = f"must have at most {MAX_ADDRESS_LENGTH} characters"
    else:
        return recipient
    raise InvalidInput(f"recipient {detail}.", errors=[FieldError("/recipient", detail)])


def _names_an_address(content: bytes) -> bool:
    """Whether the body is ``{"url": …}``: a JSON object with that member and without a context, as no badge is.

    What cannot be read strictly is left to the verifier, which says why.
    """
    if len(content) > _LARGEST_ADDRESS or b'"url"' not in content:
        return False
    try:
        given = read_object(content)
    except LapelError:
        return False
    return "url" in given and "@context" not in given
