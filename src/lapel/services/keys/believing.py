"""Whether the signature of a credential that was issued here is to be believed still."""

from __future__ import annotations

import re
from datetime import datetime

from msgspec import json

from lapel.credentials.data_integrity import proofs_of, read_members
from lapel.credentials.jose import vc_jwt
from lapel.credentials.jose.vc_jwt_claims import read_numeric_date
from lapel.domain.credential import Credential, CredentialFormat
from lapel.domain.ports import Store
from lapel.services.keys.published_keys import published

__all__ = ["is_believed"]


async def is_believed(store: Store, credential: Credential) -> bool:
    """Whether nobody else knew the key with which it was signed, by the date of the signature: what verifiers ask."""
    keys = await store.read().signing_keys.of_issuer(credential.issuer_id)
    known = [(published(key), key.compromised_at) for key in keys if key.compromised_at is not None]
    if not known:
        return True
    name, signed_at = _signature(credential)
    return not any(name in (key.multibase, str(key.id)) and signed_at >= since for key, since in known)


def _signature(credential: Credential) -> tuple[str, datetime]:
    """What the address of its key ends with, the Multikey or the key's id; and when it was signed."""
    if credential.format is CredentialFormat.VC_JWT:
        token = vc_jwt.decode(credential.signed.decode("ascii"))
        address, moment = token.kid or "", read_numeric_date(token.claims.get("iat")) or token.not_before
    else:
        (written,) = proofs_of(json.decode(credential.signed))  # what is issued here has the one that was made here
        proof = read_members(written)
        address, moment = proof.verification_method, proof.created
    return re.split("[#/]", address)[-1], moment or credential.created_at
