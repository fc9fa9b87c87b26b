"""``POST /v3/verify``: is this badge good? Open to everybody, within a rate."""

from __future__ import annotations

from litestar import post
from litestar.datastructures import UploadFile
from msgspec import json

from lapel.credentials.baking.carrier import InvalidImage, InvalidPayload, NothingBaked
from lapel.credentials.strict_json import UnreadableJson, read_object
from lapel.credentials.vc_jwt import InvalidJwt
from lapel.domain.fetching import FetchRefused
from lapel.domain.json import JsonObject
from lapel.errors import FieldError, InvalidInput, LapelError
from lapel.http.answer import PUBLIC, Answer
from lapel.http.body import read_body
from lapel.http.call import Call, only_queries
from lapel.http.errors import MalformedRequest, UnsupportedMediaType
from lapel.http.limits.turns import verification_turn
from lapel.http.openapi.operations import BYTES, answers, described
from lapel.services.answers import VerificationReport
from lapel.services.requests import VerificationByAddress
from lapel.services.verifying import Report
from lapel.services.verifying.reading import UnreadableInput

__all__ = ["HANDLERS"]

_READABLE = frozenset(
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


_TEXT: JsonObject = {"type": "string"}
_CREDENTIAL: JsonObject = {"type": "object", "title": "A credential, or whatever is taken for one"}
_FORM: JsonObject = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": BYTES, "recipient": {"type": "string"}},
    "additionalProperties": False,
}
_UNREADABLE = (
    (400, InvalidInput),
    UnreadableInput,
    UnreadableJson,
    InvalidJwt,
    InvalidImage,
    InvalidPayload,
    NothingBaked,
    FetchRefused,
)
_LARGEST_ADDRESS = 64 * 1024


@post(
    "/v3/verify",
    summary="Verify a credential (JSON), a JWS, a PNG or SVG badge, or what is at a URL",
    description=(
        'The body is the credential as JSON, a compact JWS, a baked PNG or SVG, or `{"url": …}`; '
        "or a form with the badge in `file`. "
        "Whom you expect to have earned it goes into `recipient`: as a query parameter with any body, as a member "
        "beside `url`, or as a field of the form. "
        "The report's `valid` is true, false, or null where it could not be told; `checks` says why."
    ),
    operation_class=described(
        query={
            "recipient": "Whom you expect: an e-mail address, a DID, a URL, a telephone number, another identifier."
        },
        body={
            "application/json": (VerificationByAddress, _CREDENTIAL),
            "application/vc": (_CREDENTIAL,),
            "application/vc+jwt": (_TEXT,),
            "text/plain": (_TEXT,),
            "image/png": (BYTES,),
            "image/svg+xml": (BYTES,),
            "multipart/form-data": (_FORM,),
        },
    ),
    status_code=200,
    tags=["Verification"],
    responses=answers(
        VerificationReport,
        headers=("RateLimit", "RateLimit-Policy"),
        also=(408, 413, 415, 422, 502, *_UNREADABLE),
    ),
)
async def verify(request: Call) -> Answer:
    turn = verification_turn(request)
    report = await _report(request)
    return Answer(
        json.encode(report.to_json()),
        media_type="application/json",
        headers={"cache-control": "no-store", **PUBLIC, **turn},
    )


async def _report(request: Call) -> Report:
    only_queries(request, "recipient")
    verifying = request.services.verifying
    media_type = request.content_type[0].lower()
    if media_type == "multipart/form-data":
        content, inside = await _form(request)
        return await verifying.verify(content, expected_recipient=_recipient(request, inside))
    if media_type not in _READABLE and not media_type.endswith("+json"):
        raise UnsupportedMediaType(hint="Send JSON, a JWS as text, image/png or image/svg+xml.")
    content = await request.body()
    if not content.strip():
        raise MalformedRequest("The body is empty.", hint="Send a credential, a badge image, or its URL.")
    if _names_an_address(content):
        asked = read_body(content, VerificationByAddress)
        return await verifying.verify_url(asked.url, expected_recipient=_recipient(request, asked.recipient))
    return await verifying.verify(content, media_type=media_type, expected_recipient=_recipient(request, None))


def _recipient(request: Call, inside: str | None) -> str | None:
    """Whom the caller expects: what the query and the body say, which must not differ.

    Raises:
        InvalidInput: it is empty, so that nothing would be checked, or they differ.
    """
    given = {name for name in (request.query_params.get("recipient"), inside) if name is not None}
    if not given:
        return None
    if len(given) > 1:
        detail = "must be the same in the query and in the body"
    elif not (recipient := given.pop()).strip():
        detail = "must not be empty: say whom you expect, or leave it out"
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


async def _form(request: Call) -> tuple[bytes, str | None]:
    """The badge in the form, and whom it should belong to. A field left empty is as good as none."""
    try:
        form = await request.form()
    except (
        LookupError,
        UnicodeError,
    ) as error:  # a part names a charset that there is not, or is not written in its own
        raise MalformedRequest(
            "A part of the form cannot be read as text.", hint="Send the badge as a file, or as UTF-8."
        ) from error
    unknown = sorted(form.keys() - {"file", "recipient"})
    if unknown:
        detail = "is not a field of this form; there are file and recipient"
        name = unknown[0][:80]
        raise InvalidInput(f"{name} {detail}.", errors=[FieldError(f"/{name}", detail, "unknown_member")])
    file, recipient = form.get("file"), form.get("recipient")
    if isinstance(file, UploadFile):
        content = await file.read()
    elif isinstance(file, str):
        content = file.encode()
    else:
        raise InvalidInput("The form has no `file`.", hint="Send the badge in a field named file.")
    if recipient is not None and not isinstance(recipient, str):
        raise InvalidInput("recipient must be a text.", errors=[FieldError("/recipient", "must be a text")])
    return content, recipient or None


HANDLERS = (verify,)
"""The routes of this file."""
