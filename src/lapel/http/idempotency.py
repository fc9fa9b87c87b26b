"""``Idempotency-Key``: a repeated write gets the same answer again and is not carried out again.

It follows draft-ietf-httpapi-idempotency-key-header: a different request under the same key is 422, and one that
arrives while the first is still being worked on is 409.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Concatenate, Final, ParamSpec, TypeAlias, cast

from lapel.domain.idempotency import DoneBefore, IdempotentRequest
from lapel.errors import Conflict, Gone, NotFound
from lapel.http.answer import Answer
from lapel.http.call import Call
from lapel.http.errors import MalformedRequest
from lapel.http.problems import problem_answer
from lapel.services.idempotency import IdempotencyKeyInUse

__all__ = ["IDEMPOTENCY_KEY", "BadIdempotencyKey", "idempotent"]

Parameters = ParamSpec("Parameters")
Handler: TypeAlias = Callable[Concatenate[Call, Parameters], Awaitable[Answer]]
Replay: TypeAlias = Callable[[Call, IdempotentRequest], Awaitable[Answer]]

IDEMPOTENCY_KEY: Final = {
    "Idempotency-Key": "A name for this request, such as a UUID, of 1 to 255 characters. However often the same request"
    " is sent with the same key, it is carried out once; for 24 hours it is answered again, with"
    " `Idempotency-Replayed: true`. A different request with the key is 422; one sent before the first is done, 409."
}
"""The request header of POST routes that write, and its meaning."""

_HEADER: Final = b"idempotency-key"
_REPLAYED: Final = (b"idempotency-replayed", b"true")
# A string of RFC 9651, 3.3.3, with parameters, which are ignored; or the key without quotation marks.
_QUOTED: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\]){1,255})"(?: *;[ -~]*)?').fullmatch
_BARE: Final = re.compile(r"[!#-+\--~]{1,255}").fullmatch
_ESCAPED: Final = re.compile(r'\\(["\\])')


class BadIdempotencyKey(MalformedRequest):
    """The Idempotency-Key cannot be read."""

    code = "bad_idempotency_key"
    hint = 'Send 1 to 255 printable ASCII characters in quotation marks: "8e03978e-40d5-43e8-bc93-6894a57f9324".'


def idempotent(replay: Replay) -> Callable[[Handler[Parameters]], Handler[Parameters]]:
    """Decorate a handler to support ``Idempotency-Key``.

    The handler passes `Call.once` to its service, which stores it in the transaction that does the work.

    Args:
        replay: makes the handler's answer anew from the stored record.
    """

    def decorate(handler: Handler[Parameters]) -> Handler[Parameters]:
        @wraps(handler)
        async def handle(request: Call, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Answer:
            if request.header(_HEADER) is None:
                return await handler(request, *args, **kwargs)
            service = request.services.idempotency
            once = service.request(request.principal, _key(request), await _fingerprint(request))
            with service.working(once):
                done = await service.done(once)
                if done is None:
                    try:
                        request.scope["once"] = once  # type: ignore[typeddict-unknown-key]  # where `Call` looks
                        return await handler(request, *args, **kwargs)
                    except Conflict as conflict:
                        # The conflict may be with this request's own effect: another process has carried it out
                        # meanwhile, or this one has, in a commit whose outcome was lost.
                        done = await service.done(once)
                        if done is None:
                            if isinstance(conflict, DoneBefore):
                                raise IdempotencyKeyInUse from None
                            raise
                try:
                    answer = await replay(request, done)
                except (NotFound, Gone) as error:  # erased or deleted since, which only the header tells from a refusal
                    services = request.services
                    answer = problem_answer(error, request.scope, base=services.addresses.base, pages=services.pages)
                answer.headers.append(_REPLAYED)
                return answer

        # Litestar passes the request by its name, which this type cannot express.
        return cast("Handler[Parameters]", handle)

    return decorate


def _key(request: Call) -> str:
    fields = [value.decode("latin-1").strip() for name, value in request.scope["headers"] if name == _HEADER]
    if len(fields) == 1:
        if quoted := _QUOTED(fields[0]):
            return _ESCAPED.sub(r"\1", quoted[1])
        if _BARE(fields[0]):
            return fields[0]
    raise BadIdempotencyKey


async def _fingerprint(request: Call) -> bytes:
    scope = request.scope
    target = f"{scope['method']} {scope['path']}".encode()
    return hashlib.sha256(b"\0".join((target, scope["query_string"], await request.body()))).digest()
