"""Public documents as browsers, caches and integrators meet them: forms, validators, compression, other origins."""

from __future__ import annotations

import gzip
from typing import Any

import httpx
import pytest

from tests.http.conftest import filled
from tests.http.live_server import LiveServer
from tests.support.described_answers import operations

PLAIN = {"accept_encoding": "identity"}
PUBLIC = [
    name
    for name, (method, path, operation) in operations().items()
    if method == "GET" and not operation.get("security") and not path.startswith(("/health", "/metrics"))
]


def ask(server: LiveServer, name: str, known: dict[str, str], **headers: str) -> httpx.Response:
    return server.get(filled(operations()[name][1], known), **headers)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_document_is_the_same_compressed_or_not_and_for_every_origin(
    server: LiveServer, known: dict[str, str], name: str
) -> None:
    plain, compressed = ask(server, name, known, **PLAIN), ask(server, name, known, accept_encoding="gzip")
    is_image = plain.headers["content-type"].startswith("image/")

    assert plain.content == compressed.content
    assert "content-encoding" not in plain.headers
    assert ("content-encoding" in compressed.headers) == (len(plain.content) >= 1024 and not is_image)
    assert ("accept-encoding" in plain.headers.get("vary", "").lower()) == (not is_image)
    for answer in (plain, compressed):
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "ETag" in answer.headers["access-control-expose-headers"]
        assert answer.headers["cache-control"]


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("name", PUBLIC)
def test_who_has_it_is_told_so_with_what_a_cache_needs(
    server: LiveServer, known: dict[str, str], name: str, coding: str
) -> None:
    first = ask(server, name, known, accept_encoding=coding)
    tag = first.headers["etag"]

    for header in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = ask(server, name, known, accept_encoding=coding, if_none_match=header)
        assert (again.status_code, again.content) == (304, b"")
        for field in ("etag", "cache-control", "vary", "access-control-allow-origin"):
            assert again.headers.get(field) == first.headers.get(field), field
        assert "content-encoding" not in again.headers
    assert ask(server, name, known, accept_encoding=coding, if_none_match='"other"').status_code == 200


def test_each_coding_has_its_own_validator(server: LiveServer, credential: dict[str, Any]) -> None:
    plain, compressed = (server.get(credential["id"], accept_encoding=coding) for coding in ("identity", "gzip"))
    has_plain, has_compressed = plain.headers["etag"], compressed.headers["etag"]

    assert has_compressed == has_plain[:-1] + '-gzip"'
    # A cache may serve what it has as it is to who takes gzip; the other way round it may not.
    answer = server.get(credential["id"], accept_encoding="gzip", if_none_match=has_plain)
    assert (answer.status_code, answer.headers["etag"]) == (304, has_plain)
    assert server.get(credential["id"], if_none_match=has_compressed, **PLAIN).status_code == 200


def test_a_change_takes_the_validator_of_either_form(server: LiveServer, issuer: dict[str, Any]) -> None:
    for coding in ("gzip", "identity"):
        server.ask("PATCH", issuer["id"], json={"description": "long " * 300})
        tag = server.get(issuer["id"], accept_encoding=coding).headers["etag"]
        assert tag.endswith('-gzip"') == (coding == "gzip")
        change, headers = {"description": f"long {coding} " * 300}, {"if-match": tag}

        assert server.ask("PATCH", issuer["id"], json=change, headers=headers).status_code == 200
        assert server.ask("PATCH", issuer["id"], json=change, headers=headers).status_code == 412


@pytest.mark.parametrize(
    ("accepted", "coded"),
    [
        ("gzip", True),
        ("GZIP;q=0.5", True),
        ("x-gzip", True),
        ("br, *", True),
        ("gzip;q=0, *", False),
        ("identity, gzip;q=0.5", False),
        ("gzip;q=oops", False),
        ("identity;q=1, *;q=0", False),
        ("br, zstd", False),
        ("", False),
        ("gzip," * 200, False),
    ],
)
def test_gzip_is_sent_to_who_takes_it(
    server: LiveServer, credential: dict[str, Any], accepted: str, coded: bool
) -> None:
    answer = server.get(credential["id"], accept_encoding=accepted)

    assert (answer.headers.get("content-encoding") == "gzip") == coded
    assert answer.json() == credential


def test_head_tells_of_the_compressed_form(server: LiveServer, credential: dict[str, Any]) -> None:
    headers = {"accept-encoding": "gzip"}
    # A client of its own, for the tests' own one reads what it checks.
    with httpx.Client(trust_env=False) as client, client.stream("GET", credential["id"], headers=headers) as got:
        sent = b"".join(got.iter_raw())
    with server.client as client:
        head = client.head(credential["id"], headers=headers)

    assert gzip.decompress(sent) == server.get(credential["id"], **PLAIN).content
    assert head.content == b""
    assert head.headers["content-length"] == str(len(sent))
    for field in ("etag", "vary", "content-encoding", "content-type"):
        assert head.headers[field] == got.headers[field]


def test_lists_and_pages_are_compressed_and_what_is_made_is_not(
    server: LiveServer, credential: dict[str, Any], achievement: dict[str, Any]
) -> None:
    for _ in range(3):
        server.create("/v3/api-keys", name="n" * 100, role="viewer")
    recipient = {"type": "email", "identity": "ada@school.example"}
    made = server.ask("POST", "/v3/credentials", json={"achievement": achievement["id"], "recipient": recipient})

    assert server.ask("GET", "/v3/api-keys").headers["content-encoding"] == "gzip"
    assert server.get(credential["id"], accept="text/html").headers["content-encoding"] == "gzip"
    assert server.get("/docs").headers["content-encoding"] == "gzip"
    assert "content-encoding" not in made.headers


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/vc", "application/vc"),
        ("application/ld+json;profile=x", "application/ld+json"),
        ("application/json, text/html;q=0.9", "application/json"),
        ("text/html, application/vc;q=0.5", "text/html"),
        ("application/*", "application/vc"),
        ("text/*", "text/html"),
        ("*/*", "application/vc"),
        ("image/jpeg, */*;q=0.1", "application/vc"),
    ],
)
def test_a_credential_comes_as_it_is_liked_best(
    server: LiveServer, credential: dict[str, Any], accept: str, media_type: str
) -> None:
    answer = server.get(credential["id"], accept=accept)

    assert answer.headers["content-type"].partition(";")[0] == media_type
    assert answer.headers["vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize("accept", ["image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "image/png"])
def test_an_image_at_a_credentials_address_is_found(
    server: LiveServer, credential: dict[str, Any], accept: str
) -> None:
    answer = server.get(credential["id"], accept=accept)

    assert (answer.status_code, answer.headers["location"]) == (303, f"{credential['id']}/image")
    assert answer.headers["vary"] == "Accept"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert server.get(answer.headers["location"]).headers["content-type"].startswith("image/")


def test_who_likes_none_is_told_what_there_is(server: LiveServer, credential: dict[str, Any]) -> None:
    answer = server.get(credential["id"], accept="application/vc+jwt, image/jpeg")

    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert "application/vc" in answer.json()["hint"]
    assert answer.headers["access-control-allow-origin"] == "*"
    assert server.get(f"{credential['id']}?format=json", accept="image/jpeg").json() == credential


@pytest.mark.parametrize("path", ["/v3/credentials/1", "/v3/issuers/1", "/v2/assertions/1", "/v3/images/1", "/nowhere"])
def test_what_is_not_there_is_readable_from_any_origin(server: LiveServer, path: str) -> None:
    answer = server.get(path)

    assert answer.status_code == 404
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
