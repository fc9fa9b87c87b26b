"""``1EdTechRevocationList``: a plain JSON list of revoked credentials (Verifiable Credentials Revocation List 1.0).

It is not signed: it is trusted because it comes from the issuer's https server.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from lapel.domain.fetching import FetchFailed
from lapel.domain.json import JsonObject
from lapel.domain.json_members import as_list, id_of, text_of
from lapel.errors import LapelError
from lapel.services.verifying.documents import Documents
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, new_check

__all__ = ["REVOCATION_LIST_TYPE", "check_revocation_list"]

_check: Final = partial(new_check, CheckCode.STATUS)

REVOCATION_LIST_TYPE: Final = "1EdTechRevocationList"


async def check_revocation_list(entry: JsonObject, credential: JsonObject, *, documents: Documents) -> Check:
    """Check that the credential's id is not in the list at the entry's id."""
    try:
        revocation_list = await documents.get_object(text_of(entry.get("id")) or "")
    except FetchFailed as error:
        sentence = "The issuer's revocation list cannot be fetched, so a revocation would not be known."
        return _check(Outcome.UNKNOWN, sentence, Problem.UNREACHABLE, error.detail)
    except LapelError as error:
        sentence = "The issuer's revocation list cannot be read."
        return _check(Outcome.FAIL, sentence, Problem.STATUS_LIST_INVALID, error.detail)
    issuer_id = id_of(revocation_list.get("issuer"))
    if issuer_id != id_of(credential.get("issuer")):
        sentence = "The revocation list is not the issuer's."
        return _check(Outcome.FAIL, sentence, Problem.STATUS_LIST_UNTRUSTED, issuer_id)
    # The member has one name in the specification's text, and another in its examples.
    names = ("revokedCredential", "revokedCredentials")
    members = [revocation_list[name] for name in names if name in revocation_list]
    if not members:
        sentence = "The issuer's revocation list cannot be read."
        return _check(Outcome.FAIL, sentence, Problem.STATUS_LIST_INVALID, "It has no revokedCredential.")
    for item in (item for member in members for item in as_list(member)):
        if id_of(item) is None or id_of(item) != credential.get("id"):
            continue
        if isinstance(item, dict) and item.get("revoked") is False:
            continue
        reason = text_of(item.get("revocationReason")) if isinstance(item, dict) else None
        return _check(Outcome.FAIL, "The issuer has revoked it.", Problem.REVOKED, reason)
    return _check(Outcome.PASS, "It is not in the issuer's revocation list.", None)
