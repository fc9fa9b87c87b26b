"""The guarded client against a real server on this machine."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest

from lapel.domain.fetching import (
    FetchBadRedirect,
    FetchBadStatus,
    FetchFailed,
    FetchNotFound,
    FetchRefused,
    FetchTimeout,
    FetchTooLarge,
    FetchWrongType,
)
from lapel.fetching.client import GuardedFetcher
from lapel.fetching.resolving import SystemResolver
from tests.unit.fetching.local_server import LocalServer, Names, answer, certificate, serve


async def test_a_document_is_fetched(server: LocalServer, fetcher: GuardedFetcher) -> None:
    server.answers["/badge?v=1"] = answer(
        b'{"a":1}', media_type="application/ld+json; charset=utf-8", more=['ETag: "7"', "Cache-Control: max-age=9"]
    )
    fetched = await fetcher.fetch(server.url("/badge?v=1#part"))
    assert (fetched.url, fetched.status) == (server.url("/badge?v=1"), 200)
    assert (fetched.body, fetched.media_type) == (b'{"a":1}', "application/ld+json")
    assert (fetched.etag, fetched.fresh_seconds) == ('"7"', 9)


async def test_a_request_says_what_is_welcome_and_nothing_about_us(
    server: LocalServer, fetcher: GuardedFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a proxy in the environment and a server that sets a cookie
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    server.answers["/x"] = answer(b"{}", more=["Set-Cookie: a=b"])
    # when it is asked twice
    await fetcher.fetch(server.url("/x"))
    await fetcher.fetch(server.url("/x"), accept="application/json, image/png;q=0.5")
    # then neither request went elsewhere or carries a cookie
    assert server.requests[1].split("\r\n")[:6] == [
        "GET /x HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Accept: application/json, image/png;q=0.5",
        "Accept-Encoding: identity",
        "User-Agent: Lapel (Open Badges server)",
        "Connection: close",
    ]
    assert "ookie" not in server.requests[1]


async def test_without_the_development_switch_nothing_reaches_this_machine(server: LocalServer) -> None:
    async with GuardedFetcher(ports={443, server.port}) as fetcher:
        for url in (server.url("/"), server.url("/", scheme="https")):
            with pytest.raises(FetchRefused):
                await fetcher.fetch(url)
    assert server.connections == 0


async def test_a_name_that_leads_to_this_machine_is_refused(server: LocalServer) -> None:
    names = Names({"badges.example": [["127.0.0.1"]]})
    async with GuardedFetcher(ports={server.port}, resolver=names) as fetcher:
        with pytest.raises(FetchRefused):
            await fetcher.fetch(server.url("/", scheme="https", host="badges.example"))
    assert (names.asked, server.connections) == (["badges.example"], 0)


async def test_a_name_that_changes_its_address_after_the_check_is_connected_to_where_it_was_checked(
    server: LocalServer,
) -> None:
    # given a name that is good at the first look-up and an address inside at every later one
    server.answers["/"] = answer(b"{}")
    names = Names({"badges.example": [["127.0.0.1"], ["10.0.0.1"]]})
    async with GuardedFetcher(allow_loopback_http=True, resolver=names) as fetcher:
        await fetcher.fetch(server.url("/", host="badges.example"))
        # then the connection used the first, without asking again, and the name went into Host
        assert names.asked == ["badges.example"]
        assert f"\r\nHost: badges.example:{server.port}\r\n" in server.requests[0]
        # and the next fetch looks up and checks anew
        with pytest.raises(FetchRefused):
            await fetcher.fetch(server.url("/", host="badges.example"))
    assert server.connections == 1


async def test_the_next_address_is_tried_when_one_does_not_answer(server: LocalServer) -> None:
    server.answers["/"] = answer(b"{}")
    names = Names({"badges.example": [["127.0.0.99", "127.0.0.1"]]})  # the server listens on the second only
    async with GuardedFetcher(allow_loopback_http=True, resolver=names) as fetcher:
        assert (await fetcher.fetch(server.url("/", host="badges.example"))).body == b"{}"


async def test_over_tls_the_certificate_is_checked_for_the_name_and_not_the_address(tmp_path: Path) -> None:
    theirs, ours = certificate(tmp_path, "badges.example")
    names = Names({"badges.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]})
    async with serve(ssl_context=theirs) as server:
        server.answers["/"] = answer(b"{}")
        async with GuardedFetcher(allow_loopback_http=True, resolver=names, ssl_context=ours) as fetcher:
            url = server.url("/", scheme="https", host="badges.example")
            assert (await fetcher.fetch(url)).url == url
            with pytest.raises(FetchFailed, match="no valid certificate") as caught:
                await fetcher.fetch(server.url("/", scheme="https", host="other.example"))
    assert caught.value.code == "fetch_failed"
    assert server.server_names == ["badges.example", "other.example"]


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    theirs, _ = certificate(tmp_path, "127.0.0.1")
    async with serve(ssl_context=theirs) as server, GuardedFetcher(allow_loopback_http=True) as fetcher:
        with pytest.raises(FetchFailed, match="no valid certificate"):
            await fetcher.fetch(server.url("/", scheme="https"))


async def test_redirects_are_followed(server: LocalServer, fetcher: GuardedFetcher) -> None:
    for number, status in enumerate(["301 Moved", "302 Found", "308 Permanent"]):
        server.answers[f"/{number}"] = answer(b"", status=status, more=[f"Location: {number + 1}"])
    server.answers["/3"] = answer(b"{}")
    assert (await fetcher.fetch(server.url("/0"))).url == server.url("/3")


async def test_the_fourth_redirect_is_one_too_many(server: LocalServer, fetcher: GuardedFetcher) -> None:
    server.answers["/"] = answer(b"", status="307 Temporary", more=["Location: /"])
    with pytest.raises(FetchBadRedirect, match="more than 3 times"):
        await fetcher.fetch(server.url("/"))
    assert server.connections == 4


@pytest.mark.parametrize("more", [[], ["Location:"], ["Location: https://[::1"], ["Location: https://x\x01y/"]])
async def test_a_redirect_to_nowhere_is_an_error(server: LocalServer, fetcher: GuardedFetcher, more: list[str]) -> None:
    server.answers["/"] = answer(b"", status="302 Found", more=more)
    with pytest.raises(FetchFailed) as caught:
        await fetcher.fetch(server.url("/"))
    assert not isinstance(caught.value, FetchTimeout)


@pytest.mark.parametrize(
    "location",
    [
        "https://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "https://inside.example/",
        "file:///etc/passwd",
        "data:,x",
        "http://user@127.0.0.1/",
        "https://[::ffff:169.254.169.254]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[2002:a9fe:a9fe::1]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://[fd00:ec2::254]/",
        "https://[fe80::1]/",
        "https://[ff02::1]/",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://0x7f.1/",
        "https://2130706433/",
        "//169.254.169.254/",
    ],
)
async def test_each_redirect_is_checked_like_the_first_url(server: LocalServer, location: str) -> None:
    server.answers["/"] = answer(b"", status="302 Found", more=[f"Location: {location}"])
    names = Names({"inside.example": [["192.168.0.9"]]})
    async with GuardedFetcher(allow_loopback_http=True, resolver=names, timeout=60, connect_timeout=30) as fetcher:
        with pytest.raises(FetchRefused):
            await fetcher.fetch(server.url("/"))
    assert server.connections == 1


async def test_a_redirect_from_https_to_http_is_refused(tmp_path: Path, server: LocalServer) -> None:
    theirs, ours = certificate(tmp_path, "127.0.0.1")
    server.answers["/"] = answer(b"{}")
    async with serve(ssl_context=theirs) as secure:
        secure.answers["/"] = answer(b"", status="302 Found", more=[f"Location: {server.url('/')}"])
        async with GuardedFetcher(allow_loopback_http=True, ssl_context=ours) as fetcher:
            with pytest.raises(FetchRefused, match="from https to http"):
                await fetcher.fetch(secure.url("/", scheme="https"))
    assert server.connections == 0


async def test_a_document_of_exactly_the_limit_is_read(server: LocalServer, fetcher: GuardedFetcher) -> None:
    server.answers["/"] = answer(b"x" * 1000)
    assert len((await fetcher.fetch(server.url("/"))).body) == 1000


async def test_a_document_that_says_it_is_too_large_is_not_read(server: LocalServer, fetcher: GuardedFetcher) -> None:
    server.answers["/"] = answer(b"x" * 1001)
    with pytest.raises(FetchTooLarge, match="larger than 1000 bytes"):
        await fetcher.fetch(server.url("/"))


async def test_a_caller_can_ask_for_less_but_not_for_more(server: LocalServer, fetcher: GuardedFetcher) -> None:
    server.answers["/"] = answer(b"x" * 1001)
    with pytest.raises(FetchTooLarge, match="larger than 10 bytes"):
        await fetcher.fetch(server.url("/"), max_bytes=10)
    with pytest.raises(FetchTooLarge, match="larger than 1000 bytes"):
        await fetcher.fetch(server.url("/"), max_bytes=5000)


async def test_an_endless_document_is_cut_off(server: LocalServer, fetcher: GuardedFetcher) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"64\r\n" + b"x" * 100 + b"\r\n")
            await writer.drain()

    server.answers["/"] = endless
    with pytest.raises(FetchTooLarge):
        await fetcher.fetch(server.url("/"))


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "x"])
async def test_a_compressed_document_is_refused_unread(
    server: LocalServer, fetcher: GuardedFetcher, encoding: str
) -> None:
    bomb = gzip.compress(b"0" * 900_000)
    server.answers["/"] = answer(bomb, more=[f"Content-Encoding: {encoding}"])
    with pytest.raises(FetchWrongType, match="compressed"):
        await fetcher.fetch(server.url("/"))


@pytest.mark.parametrize("media_type", ["text/html", None, "image/png", "garbage"])
async def test_another_media_type_than_asked_for_is_an_error(
    server: LocalServer, fetcher: GuardedFetcher, media_type: str | None
) -> None:
    server.answers["/"] = answer(b"<p>", media_type=media_type)
    with pytest.raises(FetchWrongType):
        await fetcher.fetch(server.url("/"))


async def test_a_web_page_is_called_one_and_what_to_do_with_it_is_said(
    server: LocalServer, fetcher: GuardedFetcher
) -> None:
    server.answers["/"] = answer(b"<p>", media_type="text/html; charset=utf-8")
    with pytest.raises(FetchWrongType, match="has a web page there") as caught:
        await fetcher.fetch(server.url("/"))
    assert "download it and check that" in str(caught.value.hint)


@pytest.mark.parametrize("status", [404, 410])
async def test_not_found_and_gone_are_answers_with_a_body(
    server: LocalServer, fetcher: GuardedFetcher, status: int
) -> None:
    server.answers["/"] = answer(b'{"revoked":true}', status=f"{status} Gone")
    with pytest.raises(FetchNotFound) as caught:
        await fetcher.fetch(server.url("/"))
    assert (caught.value.status, caught.value.body) == (status, b'{"revoked":true}')


async def test_the_body_of_a_gone_document_is_cut_to_the_limit(server: LocalServer, fetcher: GuardedFetcher) -> None:
    server.answers["/"] = answer(b"x" * 9000, status="410 Gone")
    with pytest.raises(FetchNotFound) as caught:
        await fetcher.fetch(server.url("/"))
    assert len(caught.value.body) == 1000


@pytest.mark.parametrize("status", [201, 204, 206, 300, 304, 400, 401, 403, 429, 500, 503])
async def test_another_status_is_an_error_that_carries_it(
    server: LocalServer, fetcher: GuardedFetcher, status: int
) -> None:
    server.answers["/"] = answer(b"", status=f"{status} X")
    with pytest.raises(FetchBadStatus) as caught:
        await fetcher.fetch(server.url("/"))
    assert caught.value.status == status


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\x00\x01\x02\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nContent-Type: application/json\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
    ],
)
async def test_an_answer_that_is_broken_is_an_error(server: LocalServer, fetcher: GuardedFetcher, reply: bytes) -> None:
    server.answers["/"] = reply
    with pytest.raises(FetchFailed):
        await fetcher.fetch(server.url("/"))


async def test_nobody_there_is_an_error(server: LocalServer, fetcher: GuardedFetcher) -> None:
    with pytest.raises(FetchFailed, match="could not be reached") as caught:
        await fetcher.fetch("http://127.0.0.99:9/")
    assert caught.value.code == "fetch_failed"


async def test_a_host_that_no_name_server_knows_is_an_error() -> None:
    with pytest.raises(FetchFailed) as caught:
        async with GuardedFetcher() as fetcher:
            await fetcher.fetch("https://nobody.invalid/")
    assert caught.value.code in ("fetch_failed", "fetch_timeout")  # without a network a look-up can take long


async def test_a_fetch_that_is_cancelled_frees_its_place(server: LocalServer) -> None:
    reached = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        reached.set()
        await asyncio.sleep(3600)

    server.answers["/hang"] = hang
    server.answers["/"] = answer(b"{}")
    async with GuardedFetcher(allow_loopback_http=True, concurrency=1) as fetcher:
        hanging = asyncio.create_task(fetcher.fetch(server.url("/hang")))
        await reached.wait()
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert (await fetcher.fetch(server.url("/"))).body == b"{}"


async def test_the_systems_resolver_finds_this_machine() -> None:
    resolver = SystemResolver()
    try:
        assert set(await resolver.resolve("localhost")) & {"127.0.0.1", "::1"}
    finally:
        resolver.close()


async def test_closing_closes_the_resolver_and_ends_use() -> None:
    names = Names({})
    fetcher = GuardedFetcher(resolver=names)
    await fetcher.close()
    assert names.closed
    with pytest.raises(RuntimeError, match="closed"):
        await fetcher.fetch("https://badges.example/")


async def test_a_fetcher_that_was_never_closed_is_warned_of() -> None:
    kept = [GuardedFetcher(resolver=Names({}))]
    with pytest.warns(ResourceWarning, match="never closed"):
        kept.clear()
