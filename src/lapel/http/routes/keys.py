"""``/v3/issuers/{id}/keys``: an issuer's signing keys. Only public keys are ever shown."""

from __future__ import annotations

from litestar import get, post
from litestar.params import FromPath, JSONBody
from msgspec import json

from lapel.domain.access import Scope
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.signing_key import KeyState, SigningKey
from lapel.errors import FieldError, InvalidInput
from lapel.http.answer import Answer, json_answer
from lapel.http.auth import requires
from lapel.http.call import Call, path_id, path_issuer
from lapel.http.documents import FIVE_MINUTES, created, public_response
from lapel.http.idempotency import IDEMPOTENCY_KEY, idempotent
from lapel.http.openapi.operations import answer_of, answers, described
from lapel.services.answers import SigningKeyItem, SigningKeyList
from lapel.services.documents import JsonWebKey
from lapel.services.keys.signing_keys import KeyIsIssuer, KeyStateFinal
from lapel.services.requests import NewKeyState, NewSigningKey

__all__ = ["HANDLERS"]

_TAGS = ["Issuers"]


@get(
    "/v3/issuers/{issuer_id:str}/keys/{key_id:str}",
    summary="One public key, as a JWK (RFC 7517)",
    tags=_TAGS,
    responses=answers(answer_of(JsonWebKey, media_type="application/jwk+json", cacheable=True)),
)
async def issuer_key(request: Call, issuer_id: FromPath[str], key_id: FromPath[str]) -> Answer:
    document = await request.services.issuers.key_document(await path_issuer(request, issuer_id), path_id(key_id))
    return public_response(
        request, json.encode(document), media_type="application/jwk+json", cache_control=FIVE_MINUTES
    )


@get(
    "/v3/issuers/{issuer_id:str}/keys",
    summary="Every signing key that the issuer has ever had, oldest first",
    **requires(Scope.READ),
    tags=_TAGS,
    responses=answers(SigningKeyList, guarded=True),
)
async def list_keys(request: Call, issuer_id: FromPath[str]) -> Answer:
    issuer = await path_issuer(request, issuer_id)
    keys = await request.services.signing_keys.of_issuer(request.principal, issuer)
    return json_answer(SigningKeyList([_item(request, key) for key in keys]))


async def _rotated_before(request: Call, done: IdempotentRequest) -> Answer:
    return _rotated(request, await request.services.signing_keys.get(request.principal, done.entity_id))


@post(
    "/v3/issuers/{issuer_id:str}/keys",
    summary="Rotate: a new key signs from now on, the old one only verifies",
    operation_class=described(headers=IDEMPOTENCY_KEY),
    **requires(Scope.KEYS_ADMIN),
    tags=_TAGS,
    responses=answers(answer_of(SigningKeyItem, status=201), guarded=True, writes=True, also=(KeyIsIssuer,)),
)
@idempotent(_rotated_before)
async def rotate_key(request: Call, issuer_id: FromPath[str], data: JSONBody[NewSigningKey]) -> Answer:
    key = await request.services.signing_keys.rotate(
        request.principal, await path_issuer(request, issuer_id), data.algorithm, once=request.once
    )
    return _rotated(request, key)


def _rotated(request: Call, key: SigningKey) -> Answer:
    item = _item(request, key)
    return created(json.encode(item), location=item.id)


async def _changed_before(request: Call, done: IdempotentRequest) -> Answer:
    return _changed(request, await request.services.signing_keys.get(request.principal, done.entity_id))


@post(
    "/v3/issuers/{issuer_id:str}/keys/{key_id:str}/status",
    summary="Retire a key, or mark it as compromised",
    operation_class=described(headers=IDEMPOTENCY_KEY),
    status_code=200,
    **requires(Scope.KEYS_ADMIN),
    tags=_TAGS,
    responses=answers(SigningKeyItem, guarded=True, writes=True, also=(KeyIsIssuer, KeyStateFinal)),
)
@idempotent(_changed_before)
async def change_key_state(
    request: Call, issuer_id: FromPath[str], key_id: FromPath[str], data: JSONBody[NewKeyState]
) -> Answer:
    issuer, key_uuid, service = await path_issuer(request, issuer_id), path_id(key_id), request.services.signing_keys
    if data.state is KeyState.COMPROMISED:
        key = await service.compromise(request.principal, issuer, key_uuid, since=data.since, once=request.once)
    else:
        problems = []
        if data.state is KeyState.ACTIVE:
            problems.append(FieldError("/state", "must be retired or compromised", "not_allowed"))
        if data.since is not None:
            problems.append(FieldError("/since", "is only for a key that is compromised", "not_allowed"))
        if problems:
            raise InvalidInput("A key cannot be put into this state.", errors=problems)
        key = await service.retire(request.principal, issuer, key_uuid, once=request.once)
    return _changed(request, key)


def _changed(request: Call, key: SigningKey) -> Answer:
    return json_answer(_item(request, key))


def _item(request: Call, key: SigningKey) -> SigningKeyItem:
    return SigningKeyItem(
        id=request.services.addresses.issuer_key(key.issuer_id, key.id),
        algorithm=key.algorithm,
        state=key.state,
        created_at=key.created_at,
        retired_at=key.retired_at,
        compromised_at=key.compromised_at,
    )


HANDLERS = (issuer_key, list_keys, rotate_key, change_key_state)
"""The routes of this file."""
