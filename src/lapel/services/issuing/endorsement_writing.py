"""Store endorsements so that erasing what they are about finds them."""

from __future__ import annotations

from typing import Final

from lapel.domain.access import Principal
from lapel.domain.credential import Credential
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.ports import Transaction
from lapel.openbadges.problems import Problems
from lapel.services.auditing.recording import issued_by, store_issued
from lapel.services.idempotency import done_once
from lapel.services.issuing.means import IssuingMeans

__all__ = ["NOT_FOUND", "store_endorsement"]

NOT_FOUND: Final = "is an address of this server, but not the id of anything here that can be endorsed"


async def store_endorsement(
    means: IssuingMeans,
    credential: Credential,
    by: Principal,
    once: IdempotentRequest | None,
    *,
    endorsed: str,
    pointer: str,
) -> None:
    """Store a signed endorsement issued by `by`, and that the request `once` is completed.

    Args:
        endorsed: the id of what it is about. If that is a credential of this server, it is locked, and must not be
            erased: erasing it would miss this endorsement.
        pointer: the member of the request that names it.

    Raises:
        InvalidInput: the endorsed credential has been erased.
        DoneBefore: the request was completed before, and nothing is stored.
    """
    endorsed_id = means.addresses.exact_id(endorsed, collection="/v3/credentials")

    async def body(tx: Transaction) -> None:
        if endorsed_id is not None:
            for found in await tx.credentials.find_many([endorsed_id], lock=True):
                if found.erased_at is not None:
                    problems = Problems()
                    problems.add(pointer, NOT_FOUND, "not_found")
                    problems.raise_any()
        await store_issued(tx, issued_by(by, [credential]))

    await done_once(means.store, once, body, credential.id)
