"""Find the issuer that a request names."""

from __future__ import annotations

from lapel.domain.access import Principal
from lapel.domain.addresses import Addresses
from lapel.domain.identifiers import parse_id
from lapel.domain.issuer import Issuer
from lapel.domain.ports import Store
from lapel.errors import InvalidInput
from lapel.openbadges.problems import Problems

__all__ = ["choose_issuer"]


async def choose_issuer(
    store: Store, addresses: Addresses, principal: Principal, problems: Problems, named: str | None
) -> Issuer | None:
    """Return the named issuer, or the organisation's only one; None after recording a problem at ``/issuer``.

    Args:
        named: the issuer's UUID, URN, URL or DID.
    """
    issuers = store.read().issuers
    if named is None:
        candidates = await issuers.page(principal.organisation_id, before=None, limit=2)
        if len(candidates) == 1:
            return candidates[0]
        reason = "there is more than one issuer" if candidates else "there is no issuer yet; create one first"
        problems.add("/issuer", f"must be given: {reason}", "missing")
        return None
    if named.startswith("did:"):
        issuer = await issuers.find_by_did(named)
    else:
        try:
            issuer = await issuers.find(parse_id(addresses.own_id(named, collection="/v3/issuers")))
        except InvalidInput:
            problems.add("/issuer", "must be the id or the address of an issuer here", "bad_id")
            return None
    if (own := principal.own(issuer)) is None:
        problems.add("/issuer", "is not an issuer of this organisation", "not_found")
    return own
