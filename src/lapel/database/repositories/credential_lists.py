"""The statements for lists of credentials, one for each combination of filters.

Each statement uses one index: that of the most selective owner, or of the validity.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

import sqlalchemy as sa

from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.queries import bind, equal, ordered_page_of, page_of
from lapel.database.statement import Statement
from lapel.database.tables import credentials
from lapel.domain.credential import Credential, CredentialStatus
from lapel.domain.identifiers import LAST_ID, NIL_ID, first_id_at
from lapel.domain.listing import CredentialFilter

__all__ = ["IS_WITHDRAWN", "credential_list"]

_OWNERS = ("recipient_lookup", "achievement_id", "issuer_id")
_MAX_ID_AGE = timedelta(hours=1)
"""An id contains its time of creation, which differs from the credential's `created_at` by less than this."""
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)

_c = credentials.c
_select = Mapper(Credential, credentials).select
IS_WITHDRAWN = _c.status != sa.literal_column("'active'")
"""The condition of the partial indexes, in the same words."""
_CREATED_WITHIN = (
    _c.id >= bind(_c.id, "first_id"),
    _c.created_at >= bind(_c.created_at, "created_since"),
    _c.created_at < bind(_c.created_at, "created_before"),
)


@cache
def _page(owners: tuple[str, ...], *, status: bool, withdrawn: bool, created: bool, by_validity: bool) -> Statement:
    columns = [_c[name] for name in owners]
    if by_validity and "recipient_lookup" not in owners:
        filters = [equal(each) for each in (_c.organisation_id, *columns)]
    else:  # a recipient's credentials are few enough to be sorted
        first, *others = [*columns, _c.organisation_id]
        filters = [equal(first), *[equal(each, indexed=False) for each in others]]
    if status:
        filters.append(equal(_c.status))
    if withdrawn and not by_validity and "recipient_lookup" not in owners:
        filters.append(IS_WITHDRAWN)
    if created:
        filters += _CREATED_WITHIN
    scans = status or created or by_validity or len(owners) > 1  # the index does not serve every condition
    if by_validity:
        return ordered_page_of(_select, _c.valid_from, _c.id, *filters, descending=True, scans=scans)
    return page_of(_select, _c.id, *filters, scans=scans)


def credential_list(
    filters: CredentialFilter, *, before: UUID | None, valid_before: datetime | None
) -> tuple[Statement, dict[str, object]]:
    """Return the statement and its parameters, except ``organisation_id`` and ``limit``.

    Args:
        before, valid_before: the id of the previous page's last credential and, if the list is ordered by validity, its
            start of validity.
    """
    values: dict[str, object] = {name: value for name in _OWNERS if (value := getattr(filters, name)) is not None}
    created = filters.created_since is not None or filters.created_before is not None
    page = _page(
        tuple(values),
        status=filters.status is not None,
        withdrawn=filters.status not in (None, CredentialStatus.ACTIVE),
        created=created,
        by_validity=filters.by_validity,
    )
    if filters.status is not None:
        values["status"] = filters.status
    last = LAST_ID if before is None else before
    if created:
        since, until = filters.created_since or _FIRST, filters.created_before or _LAST
        values |= {"created_since": since, "created_before": until, "first_id": first_id_at(since, earlier=_MAX_ID_AGE)}
        if not filters.by_validity:
            last = min(last, first_id_at(until, later=_MAX_ID_AGE))
    if not filters.by_validity:
        return page, {**values, "before": last}
    if before is None:
        last = LAST_ID if filters.valid_before is None else NIL_ID
        valid_before = filters.valid_before or _LAST
    return page, {**values, "from_key": valid_before, "from_id": last, "to_key": filters.valid_since or _FIRST}
