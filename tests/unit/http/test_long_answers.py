"""A long answer does not take the event loop for itself."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from lapel.domain.addresses import Addresses
from lapel.domain.audit import Action, AuditEntry
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.http.call import Call
from lapel.http.compression import with_gzip
from lapel.http.routes.audit_log import _item
from tests.support.work import calls_made, turns_given

CREDENTIALS = [UUID(int=number) for number in range(1, 257)]


def call(**headers: str) -> Call:
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Call(cast("Any", {"type": "http", "method": "GET", "path": "/", "headers": fields}))


async def test_others_have_their_turn_while_a_long_list_is_compressed() -> None:
    content, compressed = bytes(2_000_000), list[bytes]()

    async def compress() -> None:
        compressed.append(await with_gzip(call(accept_encoding="gzip"), content, {}))

    assert await turns_given(compress()) > 0
    assert gzip.decompress(compressed[0]) == content


async def test_a_short_one_is_compressed_at_once() -> None:
    assert await turns_given(with_gzip(call(accept_encoding="gzip"), bytes(2_000), {})) == 0


def test_an_entry_of_the_audit_log_for_many_credentials_takes_few_calls_for_each() -> None:
    entry = AuditEntry(
        id=UUID(int=1 << 80),
        organisation_id=DEFAULT_ORGANISATION_ID,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        actor="command-line",
        action=Action.CREDENTIAL_ISSUED,
        entity_id=None,
        address=None,
        request_id=None,
        details={"issued": [[str(each), None] for each in CREDENTIALS]},
    )
    shown = _item(entry, Addresses("https://badges.example"))
    assert shown.issued is not None
    assert [each.entity for each in shown.issued] == [
        f"https://badges.example/v3/credentials/{each}" for each in CREDENTIALS
    ]
    assert calls_made(lambda: _item(entry, Addresses("https://badges.example"))) < 3 * len(CREDENTIALS)
