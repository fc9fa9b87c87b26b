"""``POST /v3/verify``: is this badge good? Open to everybody, within a rate; and ``/verify``, a form for people."""

from __future__ import annotations

from litestar import get, post
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
from lapel.http.documents import public_response
from lapel.http.errors import MalformedRequest, UnsupportedMediaType
from lapel.http.limits.turns import verification_turn
from lapel.http.negotiation import HTML, prefers_html
from lapel.http.openapi.operations import BYTES, answers, described
from lapel.http.problems import PAGES
from lapel.services.answers import VerificationReport
from lapel.services.requests import VerificationByAddress
from lapel.services.verifying import Report
from lapel.services.verifying.reading import UnreadableInput

__all__ = ["HANDLERS", "verification_form"]

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


_FORMS = ("application/json", HTML)
_TEXT: JsonObject = {"type": "string"}
_CREDENTIAL: JsonObject = {"type": "object", "title": "A credential, or whatever is taken for one"}
_FORM: JsonObject = {
    "type": "object",
    "anyOf": [{"required": ["file"]}, {"required": ["url"]}],
    "properties": {"file": BYTES, "url": {"type": "string"}, "recipient": {"type": "string"}},
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
        "or a form with the badge in `file`, or its address in `url`. "
        "Whom you expect to have earned it goes into `recipient`: as a query parameter with any body, as a member "
        "beside `url`, or as a field of the form. "
        "The report's `valid` is true, false, or null where it could not be told; `checks` says why. "
        "A browser gets it as a page."
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
    opt=PAGES,
    tags=["Verification"],
    responses=answers(
        VerificationReport,
        media_type=_FORMS,
        headers=("RateLimit", "RateLimit-Policy"),
        also=(408, 413, 415, 422, 502, *_UNREADABLE),
    ),
)
async def verify(request: Call) -> Answer:
    turn = verification_turn(request)
    report = await _report(request)
    headers = {"cache-control": "no-store", "vary": "Accept", **PUBLIC, **turn}
    if prefers_html(request.header(b"accept"), *_FORMS):
        pages = request.services.pages
        return Answer(pages.report(report), media_type=HTML, headers={**headers, **pages.headers})
    return Answer(json.encode(report.to_json()), media_type=_FORMS[0], headers=headers)


@get("/verify", opt=PAGES)
async def verification_form(request: Call) -> Answer:
    """A page on which people verify a badge, whose address may be given to begin with."""
    only_queries(request, "url")
    pages = request.services.pages
    return public_response(
        request,
        pages.verification(request.query_params.get("url", "")),
        media_type=HTML,
        cache_control="public, max-age=300",
        headers=pages.form_headers,
    )


async def _report(request: Call) -> Report:
    only_queries(request, "recipient")
    verifying = request.services.verifying
    media_type = request.content_type[0].lower()
    if media_type == "multipart/form-data":
        content, url, inside = await _form(request)
        recipient = _recipient(request, inside)
        if url is not None:
            return await verifying.verify_url(url, expected_recipient=recipient)
        return await verifying.verify(content, expected_recipient=recipient)
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


async def _form(request: Call) -> tuple[bytes, str | None, str | None]:
    """The badge in the form, or its address, and whom it should belong to. A field left empty is as good as none."""
    try:
        form = await request.form()
    except (
        LookupError,
        UnicodeError,
    ) as error:  # a part names a charset that there is not, or is not written in its own
        raise MalformedRequest(
            "A part of the form cannot be read as text.", hint="Send the badge as a file, or as UTF-8."
        ) from error
    unknown = sorted(form.keys() - {"file", "url", "recipient"})
    if unknown:
        detail = "is not a field of this form; there are file, url and recipient"
        name = unknown[0][:80]
        raise InvalidInput(f"{name} {detail}.", errors=[FieldError(f"/{name}", detail, "unknown_member")])
    file, content = form.get("file"), b""
    if isinstance(file, UploadFile):
        content = await file.read()
    elif isinstance(file, str):
        content = file.encode()
    url, recipient = _text(form.get("url"), "url"), _text(form.get("recipient"), "recipient")
    if bool(content) == bool(url):
        raise InvalidInput(
            "The form has both a `file` and a `url`." if url else "The form has neither a `file` nor a `url`.",
            hint="Send the badge in a field named file, or its address in one named url.",
        )
    return content, url, recipient


def _text(value: object, name: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"{name} must be a text.", errors=[FieldError(f"/{name}", "must be a text")])
    return value or None


HANDLERS = (verify,)
"""The routes of this file, but for the page."""
