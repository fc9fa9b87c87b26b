"""Bodies with many items."""

from __future__ import annotations

from typing import cast

from litestar.types import HTTPReceiveMessage, Scope

from lapel.errors import InvalidInput
from lapel.http.call import Call
from lapel.http.itemised import read_items
from lapel.http.routes.batches import issue_batch
from lapel.services.requests import NewCredential
from tests.support.work import turns_given


async def test_others_get_their_turn_while_it_is_found_what_is_wrong_with_many_items() -> None:
    async def receive() -> HTTPReceiveMessage:
        body = b"[" + b", ".join([b'{"recipient": 1}'] * 200) + b"]"
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

    assert await turns_given(read()) >= 200
    assert all(isinstance(item, InvalidInput) for item in items.values())
