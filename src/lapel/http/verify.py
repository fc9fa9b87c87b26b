"""``POST /v3/verify``: is this badge good? Open to everybody, within a rate."""

from __future__ import annotations

from litestar import post
from litestar.datastructures import UploadFile
from msgspec import DecodeError, Struct, ValidationError, json

from lapel.errors import InvalidInput
from lapel.http.answer import Answer
from lapel.http.call import Call
from lapel.http.errors import MalformedRequest, UnsupportedMediaType
from lapel.http.openapi import answers, described
from lapel.http.rate_limit import RateLimit, network_of
from lapel.services.verifying import Report

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


class _Address(Struct, forbid_unknown_fields=True):
    """``{"url": …, "recipient": …}``: verify what is published there."""

    url: str
    recipient: str | None = None


@post(
    "/v3/verify",
    summary="Verify a credential (JSON), a JWS, a PNG or SVG badge, or what is at a URL",
    description=(
        "The body is the credential as JSON, a compact JWS, a baked PNG or SVG, "
        'or `{"url": …, "recipient": …}`; or a form with a `file`, and `recipient` if you expect somebody. '
        "The report's `valid` is true, false, or null where it could not be told; `checks` says why."
    ),
    operation_class=described(
        body=("application/json", "application/vc+jwt", "image/png", "image/svg+xml", "multipart/form-data")
    ),
    status_code=200,
    tags=["Verification"],
    responses=answers(also=(413, 415, 429, 502)),
)
async def verify(request: Call) -> Answer:
    limit: RateLimit = request.app.state.verification_limit
    limit.take(network_of(request.client.host if request.client else None))
    report = await _report(request)
    return Answer(
        json.encode(report.to_json()),
        media_type="application/json",
        headers={"cache-control": "no-store", "access-control-allow-origin": "*"},
    )


async def _report(request: Call) -> Report:
    verifying = request.services.verifying
    media_type = request.content_type[0].lower()
    if media_type == "multipart/form-data":
        content, recipient = await _form(request)
        return await verifying.verify(content, expected_recipient=recipient)
    if media_type not in _READABLE and not media_type.endswith("+json"):
        raise UnsupportedMediaType(hint="Send JSON, a JWS as text, image/png or image/svg+xml.")
    content = await request.body()
    if not content.strip():
        raise MalformedRequest("The body is empty.", hint="Send a credential, a badge image, or its URL.")
    if (address := _address(content)) is not None:
        return await verifying.verify_url(address.url, expected_recipient=address.recipient)
    return await verifying.verify(content, media_type=media_type)


def _address(content: bytes) -> _Address | None:
    """The body as ``{"url": …}``; None if it is anything else, which the verifier reads more strictly."""
    if len(content) > 8192 or b'"url"' not in content:
        return None
    try:
        return json.decode(content, type=_Address)
    except (ValidationError, DecodeError, RecursionError):
        return None


async def _form(request: Call) -> tuple[bytes, str | None]:
    form = await request.form()
    file, recipient = form.get("file"), form.get("recipient")
    if isinstance(file, UploadFile):
        content = await file.read()
    elif isinstance(file, str):
        content = file.encode()
    else:
        raise InvalidInput("The form has no `file`.", hint="Send the badge in a field named file.")
    return content, recipient if isinstance(recipient, str) and recipient else None


HANDLERS = (verify,)
"""The routes of this file."""
