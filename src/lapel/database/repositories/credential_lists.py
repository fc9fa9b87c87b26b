"""Lists of credentials: a statement for each way to narrow them, and what it is given.

Each goes by one index: of what the fewest credentials have in common, or of their validity. Where a planner without
statistics could be misled to another, the other conditions are written so that no index serves them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.queries import bind, equal, ordered_page_of, page_of
from lapel.database.statement import Statement
from lapel.database.tables import credentials
from lapel.domain.credential import Credential, CredentialStatus
from lapel.domain.identifiers import LAST_ID, NIL_ID, first_id_at
from lapel.domain.listing import CredentialFilter

__all__ = ["IS_WITHDRAWN", "credential_list"]

_OWNERS = ("recipient_lookup", "achievement_id", "issuer_id")
_APART = timedelta(hours=1)
"""An id tells when it was made, and the credential was soon after: never so much later, nor earlier."""
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)

_c = credentials.c
_select = Mapper(Credential, credentials).select
IS_WITHDRAWN = _c.status != sa.literal_column("'active'")
"""As the partial indices say it."""
_AMONG_CREATED = (
    _c.id >= bind(_c.id, "first_id"),
    _c.created_at >= bind(_c.created_at, "created_since"),
    _c.created_at < bind(_c.created_at, "created_before"),
)


def _beside(column: ColumnElement[object]) -> ColumnElement[bool]:
    """`equal`, served by no index."""
    return sa.func.coalesce(column, bind(column)) == bind(column)


@cache
def _page(owners: tuple[str, ...], *, status: bool, withdrawn: bool, created: bool, by_validity: bool) -> Statement:
    columns = [_c[name] for name in owners]
    if by_validity and "recipient_lookup" not in owners:
        filters = [equal(each) for each in (_c.organisation_id, *columns)]
    else:  # a recipient's are few enough to be sorted
        first, *others = [*columns, _c.organisation_id]
        filters = [equal(first), *map(_beside, others)]
    if status:
        filters.append(equal(_c.status))
    if withdrawn and not by_validity and "recipient_lookup" not in owners:
        filters.append(IS_WITHDRAWN)
    if created:
        filters += _AMONG_CREATED
    if by_validity:
        return ordered_page_of(_select, _c.valid_from, _c.id, *filters, descending=True)
    return page_of(_select, _c.id, *filters)


def credential_list(
    wanted: CredentialFilter, *, before: UUID | None, valid_before: datetime | None
) -> tuple[Statement, dict[str, object]]:
    """The statement and its parameters, but for ``organisation_id`` and ``limit``.

    Args:
        before, valid_before: of the last of the page before; `valid_before` where the list is by validity.
    """
    given: dict[str, object] = {name: value for name in _OWNERS if (value := getattr(wanted, name)) is not None}
    created = wanted.created_since is not None or wanted.created_before is not None
    page = _page(
        tuple(given),
        status=wanted.status is not None,
        withdrawn=wanted.status not in (None, CredentialStatus.ACTIVE),
        created=created,
        by_validity=wanted.by_validity,
    )
    if wanted.status is not None:
        given["status"] = wanted.status
    last = LAST_ID if before is None else before
    if created:
        since, until = wanted.created_since or _FIRST, wanted.created_before or _LAST
        given |= {"created_since": since, "created_before": until, "first_id": first_id_at(since, earlier=_APART)}
        if not wanted.by_validity:
            last = min(last, first_id_at(until, later=_APART))
    if not wanted.by_validity:
        return page, {**given, "before": last}
    if before is None:
        last = LAST_ID if wanted.valid_before is None else NIL_ID
        valid_before = wanted.valid_before or _LAST
    end = wanted.valid_since or _FIRST
    return page, {**given, "from_key": valid_before, "from_id": last, "to_key": end}
