"""Find a published key by its verification method's id, and check that its owner allows it to sign.

Controlled Identifiers 1.0, 3.3 (retrieve verification method): the id without its fragment identifies the controller's
document, which must contain the method under exactly this id, with this controller, and list it for the purpose.
did:key and did:jwk contain their own documents; those of did:web and https addresses are fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lapel.credentials.date_time import parse_timestamp
from lapel.credentials.did import InvalidDid, did_web_document_url, parse_did_key
from lapel.credentials.jose import base64url
from lapel.credentials.keys import PublicKey, from_jwk, from_multikey, public_der
from lapel.credentials.strict_json import read_object
from lapel.domain.fetching import FetchFailed, FetchNotFound, FetchWrongType
from lapel.domain.json import JsonObject
from lapel.domain.json_members import as_list, id_of, objects, text_of
from lapel.errors import LapelError, Unsupported
from lapel.services.verifying.documents import Documents, read_document
from lapel.services.verifying.origins import host_of
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem

__all__ = [
    "ASSERTION",
    "AUTHENTICATION",
    "FoundKey",
    "controller_document",
    "find_key",
    "key_problem",
    "listed_key",
    "lists_keys",
]

ASSERTION: Final = "assertionMethod"
"""The purpose of a credential's proof, and the member in which a controller lists the keys for it."""
AUTHENTICATION: Final = "authentication"
"""The same for a presentation's proof."""

_NOT_AUTHORISED: Final = {
    ASSERTION: "The issuer publishes the key, but does not let it sign credentials.",
    AUTHENTICATION: "The holder publishes the key, but not to authenticate with.",
}
_MAX_METHODS: Final = 1_000
_DID_JWK: Final = "did:jwk:"
_MAX_DID_JWK: Final = 4_096
"""More than twice the length for an RSA key of 8192 bits."""
_KEY_MEMBERS: Final = (
    "verificationMethod",
    "assertionMethod",
    "authentication",
    "capabilityDelegation",
    "capabilityInvocation",
    "keyAgreement",
    "publicKey",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundKey:
    """The result of looking for a key.

    Attributes:
        check: the check ``key``.
        key: the key, or None. It may be set even if the check failed, so that the signature can still be checked.
        controller: the id of the controller that the method's id names, even if the key was not found there.
    """

    check: Check
    key: PublicKey | None
    controller: str


class _NoKey(Exception):
    """No usable key was found."""

    def __init__(self, check: Check, key: PublicKey | None = None) -> None:
        super().__init__(check.sentence)
        self.check = check
        self.key = key


def key_problem(
    problem: Problem, sentence: str, *, outcome: Outcome = Outcome.FAIL, detail: str | None = None
) -> Check:
    """Return the check ``key`` with a problem."""
    return Check(code=CheckCode.KEY, outcome=outcome, sentence=sentence, problem=problem, detail=detail)


def _published(method_id: str | None) -> Check:
    sentence = "The key is published by its owner."
    return Check(code=CheckCode.KEY, outcome=Outcome.PASS, sentence=sentence, detail=method_id)


async def find_key(method_id: str, *, signed_at: datetime, documents: Documents, purpose: str = ASSERTION) -> FoundKey:
    """Return the key that `method_id` names, with the check whether it was valid for `purpose` at `signed_at`."""
    controller = method_id.partition("#")[0]
    try:
        document = await _document(controller, documents)
        method = _method(document, method_id, controller, purpose)
        key = _key_of(method)
        _check_period(method, key, signed_at)
    except _NoKey as error:
        return FoundKey(check=error.check, key=error.key, controller=controller)
    return FoundKey(check=_published(method_id), key=key, controller=controller)


async def controller_document(controller: str, documents: Documents) -> JsonObject | Check:
    """Return the document of a controller, or a check ``key`` that says why it cannot be used."""
    try:
        return await _document(controller, documents)
    except _NoKey as error:
        return error.check


async def _document(controller: str, documents: Documents) -> JsonObject:
    try:
        if controller.startswith("did:key:"):
            return parse_did_key(controller).document()
        if controller.startswith(_DID_JWK):
            return _did_jwk_document(controller)
        if controller.startswith("did:web:"):
            url = did_web_document_url(controller)
        elif controller.startswith("did:"):
            raise Unsupported("DIDs of this method are not resolved here.")
        else:
            url = controller
        fetched = await documents.get(url)
        document = await read_document(fetched.body)
    except Unsupported as error:
        check = key_problem(Problem.KEY_UNSUPPORTED, error.detail, outcome=Outcome.UNKNOWN, detail=controller)
        raise _NoKey(check) from error
    except FetchNotFound as error:
        check = key_problem(
            Problem.KEY_NOT_FOUND, "The key is not published any more, or never was.", detail=controller
        )
        raise _NoKey(check) from error
    except FetchWrongType as error:
        sentence = "What is at the issuer's address is no document with its keys."
        raise _NoKey(key_problem(Problem.DOCUMENT_INVALID, sentence, detail=error.detail)) from error
    except FetchFailed as error:
        sentence = "The issuer's document cannot be fetched, so its key is not known."
        check = key_problem(Problem.UNREACHABLE, sentence, outcome=Outcome.UNKNOWN, detail=error.detail)
        raise _NoKey(check) from error
    except LapelError as error:
        is_did = controller.startswith("did:")
        problem = Problem.KEY_INVALID if is_did else Problem.DOCUMENT_INVALID
        sentence = "The DID cannot be read." if is_did else "The issuer's document cannot be read."
        raise _NoKey(key_problem(problem, sentence, detail=error.detail)) from error
    if host_of(fetched.url) != host_of(url):
        # A redirect to another host may have been set up by somebody who does not control the first host.
        sentence = "The issuer's address leads to another host."
        raise _NoKey(key_problem(Problem.HOSTED_ELSEWHERE, sentence, detail=fetched.url))
    if document.get("id") != controller:
        sentence = "The issuer's document says that it is about somebody else."
        raise _NoKey(key_problem(Problem.DOCUMENT_ID, sentence, detail=f"{id_of(document)} at {controller}"))
    return document


def _did_jwk_document(did: str) -> JsonObject:
    """Return the document of a did:jwk, which is a JWK in base64url; its only method is ``#0``."""
    if len(did) > _MAX_DID_JWK:
        raise InvalidDid("this did:jwk is longer than any key that is understood")
    method = f"{did}#0"
    jwk = read_object(base64url.decode(did.removeprefix(_DID_JWK)))
    return {
        "id": did,
        "verificationMethod": [{"id": method, "controller": did, "type": "JsonWebKey", "publicKeyJwk": jwk}],
        ASSERTION: [method],
        AUTHENTICATION: [method],
    }


def lists_keys(document: JsonObject) -> bool:
    """Return whether a controller's document has a member for keys, even if it is empty."""
    return any(name in document for name in _KEY_MEMBERS)


def listed_key(
    key: PublicKey, *, document: JsonObject, signed_at: datetime, address: str | None = None
) -> FoundKey | None:
    """Return the key with the check of its entries in a controller's document; None if the document does not list it.

    An entry has the same key, under any id, or no key but `address`, where the key was found. If there are several
    entries, all must be valid.
    """
    controller, key_der = id_of(document) or "", public_der(key)
    asserting = {
        absolute
        for item in as_list(document.get("assertionMethod"))[:_MAX_METHODS]
        if (absolute := _absolute(id_of(item), document))
    }
    methods = [method for method in _all_methods(document) if _is_entry_of(method, key_der, address)]
    if not methods and address in asserting and all(method["id"] != address for method in _all_methods(document)):
        methods = [{"id": address, "controller": controller}]
    if not methods:
        return None
    try:
        for method in methods:
            _check_controller(method, controller)
            _check_period(method, key, signed_at)
        if not any(method["id"] in asserting for method in methods):
            raise _NoKey(key_problem(Problem.KEY_NOT_AUTHORISED, _NOT_AUTHORISED[ASSERTION], detail=id_of(methods[0])))
    except _NoKey as error:
        return FoundKey(check=error.check, key=key, controller=controller)
    return FoundKey(check=_published(id_of(methods[0])), key=key, controller=controller)


def _is_entry_of(method: JsonObject, key_der: bytes, address: str | None) -> bool:
    if "publicKeyMultibase" not in method and "publicKeyJwk" not in method:
        return method["id"] == address
    try:
        return public_der(_key_of(method)) == key_der
    except _NoKey:
        return False


def _all_methods(document: JsonObject) -> Iterator[JsonObject]:
    """Yield every method in the document, also those embedded in ``assertionMethod``, with an absolute id."""
    for name in ("verificationMethod", "assertionMethod"):
        for method in objects(as_list(document.get(name))[:_MAX_METHODS]):
            yield {**method, "id": _absolute(method.get("id"), document)}


def _methods_for(purpose: str, document: JsonObject) -> Iterator[JsonObject]:
    """Yield the methods listed for a purpose, by reference or embedded, with absolute ids."""
    by_id = {
        absolute: method
        for method in objects(document.get("verificationMethod"))[:_MAX_METHODS]
        if (absolute := _absolute(method.get("id"), document))
    }
    for item in as_list(document.get(purpose))[:_MAX_METHODS]:
        absolute = _absolute(id_of(item), document)
        method = item if isinstance(item, Mapping) else by_id.get(absolute or "")
        if method is not None:
            yield {**method, "id": absolute}


def _method(document: JsonObject, method_id: str, controller: str, purpose: str) -> JsonObject:
    # A did:key is often named without its fragment, which only repeats it.
    without_fragment = method_id == controller and controller.startswith(("did:key:", _DID_JWK))
    for method in _methods_for(purpose, document):
        if without_fragment or method["id"] == method_id:
            break
    else:
        published = objects(document.get("verificationMethod"))
        if any(_absolute(method.get("id"), document) == method_id for method in published):
            raise _NoKey(key_problem(Problem.KEY_NOT_AUTHORISED, _NOT_AUTHORISED[purpose], detail=method_id))
        sentence = "The issuer does not publish the key that the proof names."
        raise _NoKey(key_problem(Problem.KEY_NOT_FOUND, sentence, detail=method_id))
    _check_controller(method, controller)
    return method


def _check_controller(method: JsonObject, controller: str) -> None:
    if method.get("controller") != controller:
        sentence = "The key belongs to another controller than the document that it stands in."
        raise _NoKey(key_problem(Problem.KEY_CONTROLLER, sentence, detail=id_of(method.get("controller"))))


def _key_of(method: JsonObject) -> PublicKey:
    if text_of(method.get("type")) is None:  # Controlled Identifiers 1.0, 2.2
        raise _NoKey(key_problem(Problem.KEY_INVALID, "The published key does not say of what type it is."))
    multikey, jwk = text_of(method.get("publicKeyMultibase")), method.get("publicKeyJwk")
    if multikey is not None and jwk is not None:  # Controlled Identifiers 1.0, 2.2: there must not be several forms
        raise _NoKey(key_problem(Problem.KEY_INVALID, "The key is published in two forms at once."))
    try:
        if multikey is not None:
            return from_multikey(multikey)
        if isinstance(jwk, Mapping):
            return from_jwk(jwk)
    except Unsupported as error:
        check = key_problem(
            Problem.KEY_UNSUPPORTED, error.detail, outcome=Outcome.UNKNOWN, detail=text_of(method.get("id"))
        )
        raise _NoKey(check) from error
    except LapelError as error:
        raise _NoKey(
            key_problem(Problem.KEY_INVALID, "The published key cannot be read.", detail=error.detail)
        ) from error
    sentence = "The key is published in a form that is not understood here."
    raise _NoKey(
        key_problem(Problem.KEY_UNSUPPORTED, sentence, outcome=Outcome.UNKNOWN, detail=text_of(method.get("type")))
    )


def _check_period(method: JsonObject, key: PublicKey, signed_at: datetime) -> None:
    """Raise _NoKey if the signature is not before ``revoked`` and ``expires`` (Controlled Identifiers 1.0, 2.2)."""
    for name, problem, sentence in (
        ("revoked", Problem.KEY_REVOKED, "The key was revoked before the badge was signed."),
        ("expires", Problem.KEY_EXPIRED, "The key had expired when the badge was signed."),
    ):
        value = method.get(name)
        end = parse_timestamp(value)
        if value is not None and (end is None or signed_at >= end):
            raise _NoKey(key_problem(problem, sentence, detail=f"{name}: {value}"), key)


def _absolute(method_id: object, document: JsonObject) -> str | None:
    if not isinstance(method_id, str) or not method_id:
        return None
    return f"{document.get('id')}{method_id}" if method_id.startswith("#") else method_id
