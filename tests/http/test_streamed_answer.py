"""An answer that is made while it is sent: cut off where it fails, and not made for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from lapel.http.answer import StreamedAnswer


async def sent(parts: AsyncIterator[bytes], *, gone_after: int | None = None) -> list[Any]:
    """The messages that the server is given; the client goes away after so many of them."""
    messages: list[Any] = []
    gone = asyncio.Event()

    async def send(message: Any) -> None:
        messages.append(message)
        if gone_after is not None and len(messages) >= gone_after:
            gone.set()
        await asyncio.sleep(0)

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    answer = StreamedAnswer(parts, media_type="application/json", headers={"cache-control": "no-cache"})
    try:
        await answer(cast("Any", {}), receive, send)
    except ConnectionError:
        messages.append("failed")
    return messages


async def numbers(most: int, *, asked: list[int] | None = None, fail: bool = False) -> AsyncIterator[bytes]:
    for number in range(most):
        if asked is not None:
            asked.append(number)
        yield b"%d" % number
    if fail:
        raise ConnectionError


async def test_it_comes_in_parts_and_without_a_length() -> None:
    start, *rest = await sent(numbers(3))

    assert start["headers"] == [(b"cache-control", b"no-cache"), (b"content-type", b"application/json")]
    assert [(part["body"], part["more_body"]) for part in rest] == [
        (b"0", True),
        (b"1", True),
        (b"2", True),
        (b"", False),
    ]


async def test_what_fails_half_way_is_not_ended_as_if_it_were_whole() -> None:
    _, *parts, last = await sent(numbers(2, fail=True))

    assert [(part["body"], part["more_body"]) for part in parts] == [(b"0", True), (b"1", True)]
    assert last == "failed"


@pytest.mark.parametrize("gone_after", [1, 3])
async def test_nothing_is_made_for_a_client_that_has_gone(gone_after: int) -> None:
    asked: list[int] = []
    await sent(numbers(1_000, asked=asked), gone_after=gone_after)

    assert len(asked) <= gone_after + 2
