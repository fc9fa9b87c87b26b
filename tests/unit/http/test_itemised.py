"""Bodies with many items."""

from __future__ import annotations

from typing import cast

import pytest
from litestar.types import HTTPReceiveMessage, Scope

from lapel.http.call import Call
from lapel.http.itemised import read_items
from lapel.http.routes.batches import issue_batch
from lapel.services.requests import NewCredential
from tests.support.work import turns_given

GOOD = b'{"achievement": "x", "recipient": {"type": "email", "identity": "ada@school.example"}}'


@pytest.mark.parametrize(("item", "readable", "turns"), [(b'{"recipient": 1}', False, 200), (GOOD, True, 4)])
async def test_others_get_their_turn_while_many_items_are_read(item: bytes, readable: bool, turns: int) -> None:
    async def receive() -> HTTPReceiveMessage:
        body = b"[" + b", ".join([item] * 200) + b"]"
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v3/credentials/batch",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "route_handler": issue_batch,
        "state": {},
    }
    items = {}

    async def read() -> None:
        items.update(await read_items(Call(cast("Scope", scope), receive), NewCredential, max_items=200))

    assert await turns_given(read()) >= turns
    assert {isinstance(item, NewCredential) for item in items.values()} == {readable}
