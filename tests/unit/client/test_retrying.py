"""When the client asks again, and when it gives up. Nothing is sent and nobody waits: the steps are looked at."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from lapel.client.failures import Conflict, Invalid, RequestRefused, Unavailable, UnexpectedAnswer, Unreachable
from lapel.client.requests import ListRequest, Page, Request, as_json, as_text, path_to
from lapel.client.retrying import Outcome, attempts

REQUEST = httpx.Request("GET", "http://badges.example/")
SAFE = Request("GET", "/", as_text, repeatable=True)
UNSAFE = Request("PATCH", "/", as_text)


def problem(status: int, **headers: str) -> httpx.Response:
    """A refusal by the server."""
    body = {"type": "about:blank", "title": "No", "status": status, "detail": "No.", "code": "no", "hint": "Do."}
    errors = [{"pointer": "/name", "detail": "is missing", "code": "missing"}]
    return httpx.Response(
        status,
        json={**body, "errors": errors},
        headers={"content-type": "application/problem+json"} | {k.replace("_", "-"): v for k, v in headers.items()},
        request=REQUEST,
    )


def good(content: str = "done") -> httpx.Response:
    return httpx.Response(200, text=content, request=REQUEST)


def held(request: Request[Any], *outcome: Outcome, patience: float = 60) -> tuple[object, list[float]]:
    """The result, and the pauses before each further attempt."""
    steps, pauses, answers = attempts(request, patience=patience), [], iter(outcome)
    step = next(steps)
    while True:
        try:
            if isinstance(step, float):
                pauses.append(step)
                step = steps.send(None)
            else:
                assert step is request
                step = steps.send(next(answers))
        except StopIteration as end:
            return end.value, pauses


@pytest.mark.parametrize("status", [503, 429])
def test_what_is_safe_is_sent_again_when_the_server_has_said(status: int) -> None:
    assert held(SAFE, problem(status, retry_after="3"), problem(status, retry_after="7"), good()) == (
        "done",
        [3.0, 7.0],
    )


def test_a_lost_connection_is_tried_again_with_growing_pauses() -> None:
    result, pauses = held(
        SAFE, httpx.ReadError("gone"), httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), good()
    )

    assert result == "done"
    assert pauses[0] <= 0.2 < 0.4 <= pauses[2] <= 0.8


@pytest.mark.parametrize("outcome", [httpx.ReadError("gone"), httpx.ReadTimeout("slow")])
def test_what_may_have_been_done_is_not_sent_again(outcome: httpx.TransportError) -> None:
    with pytest.raises(Unreachable):
        held(UNSAFE, outcome)


@pytest.mark.parametrize("outcome", [httpx.ConnectError("refused"), problem(429, retry_after="1")])
def test_what_was_not_even_begun_is_sent_again(outcome: Outcome) -> None:
    assert held(UNSAFE, outcome, good())[0] == "done"


def test_nobody_waits_for_longer_than_his_patience() -> None:
    with pytest.raises(Unavailable) as caught:
        held(SAFE, problem(503, retry_after="61"))
    assert caught.value.retry_after == 61

    with pytest.raises(Unavailable):
        held(SAFE, *[problem(503, retry_after="25")] * 3)


def test_who_keeps_being_sent_away_gives_up() -> None:
    with pytest.raises(Unreachable):
        held(SAFE, *[httpx.ConnectError("refused")] * 8)


@pytest.mark.parametrize(("status", "kind"), [(422, Invalid), (409, Conflict), (418, RequestRefused)])
def test_a_refusal_says_what_the_problem_document_says(status: int, kind: type[RequestRefused]) -> None:
    with pytest.raises(kind) as caught:
        held(SAFE, problem(status))

    assert (caught.value.status, caught.value.code, caught.value.hint) == (status, "no", "Do.")
    assert [entry.pointer for entry in caught.value.errors] == ["/name"]


@pytest.mark.parametrize("body", ["<html>", '{"items": 1}'])
def test_what_no_lapel_server_says_is_named(body: str) -> None:
    with pytest.raises(UnexpectedAnswer):
        held(Request("GET", "/", as_json(Page[str])), good(body))
    with pytest.raises(UnexpectedAnswer):
        held(SAFE, httpx.Response(502, text=body, request=REQUEST))


def test_the_next_page_is_asked_of_the_same_server() -> None:
    first = Request("GET", "/v3/issuers", as_json(Page[str]), query={"limit": 2})
    following = ListRequest(first).after(Page([], "http://elsewhere.example/x?limit=2&cursor=abc"))

    assert following is not None
    assert (following.path, dict(following.query)) == ("/v3/issuers", {"limit": "2", "cursor": "abc"})
    assert ListRequest(first).after(Page([], None)) is None


def test_a_thing_is_named_by_its_id_or_its_address() -> None:
    assert path_to("/v3/issuers/{}", "0198") == path_to("/v3/issuers/{}", "https://badges.example/base/v3/issuers/0198")
    assert path_to("/v3/issuers/{}", "urn:uuid:0198") == "/v3/issuers/urn:uuid:0198"
    assert path_to("/v3/issuers/{}", "../x?y") == "/v3/issuers/..%2Fx%3Fy"
    with pytest.raises(ValueError, match="names nothing"):
        path_to("/v3/issuers/{}", "")
