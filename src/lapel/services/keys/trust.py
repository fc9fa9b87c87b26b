"""Whether the signature of a credential that was issued here can still be trusted."""

from __future__ import annotations

import re
from datetime import datetime

from msgspec import json

from lapel.credentials.data_integrity import proofs_of, read_members
from lapel.credentials.jose import vc_jwt
from lapel.credentials.jose.vc_jwt_claims import read_numeric_date
from lapel.domain.credential import Credential, CredentialFormat
from lapel.domain.ports import Store
from lapel.services.keys.published_keys import published_key

__all__ = ["is_trusted"]


async def is_trusted(store: Store, credential: Credential) -> bool:
    """Return whether the signature's date is before its key was compromised, if ever, as a verifier would check it."""
    keys = await store.read().signing_keys.of_issuer(credential.issuer_id)
    compromised = [(published_key(key), key.compromised_at) for key in keys if key.compromised_at is not None]
    if not compromised:
        return True
    name, signed_at = _signature(credential)
    return not any(name in (key.multibase, str(key.id)) and signed_at >= since for key, since in compromised)


def _signature(credential: Credential) -> tuple[str, datetime]:
    """Return the end of the key's address, which is its Multikey or its id, and the time of the signature."""
    if credential.format is CredentialFormat.VC_JWT:
        token = vc_jwt.decode(credential.signed.decode("ascii"))
        address, moment = token.kid or "", read_numeric_date(token.claims.get("iat")) or token.not_before
    else:
        (members,) = proofs_of(json.decode(credential.signed))  # credentials issued here have exactly one proof
        proof = read_members(members)
        address, moment = proof.verification_method, proof.created
    return re.split("[#/]", address)[-1], moment or credential.created_at
