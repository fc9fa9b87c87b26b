"""What holds for every address: problem documents, methods, HEAD, other origins, bodies, keys."""

from __future__ import annotations

import gzip
import json
import re
import socket
import time
from typing import Any

import pytest

from lapel.http.routes.credential_lists import FILTERS
from tests.http.hostile import HOST, exchange
from tests.http.live_server import ADMIN_KEY, LiveServer

NOBODY = "018f3c1a-0000-7000-8000-000000000000"


def test_what_is_not_there_is_a_problem_document(server: LiveServer) -> None:
    response = server.get("/v3/nothing/here")

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == 404
    assert problem["code"] == "not_found"
    assert problem["type"] == f"{server.url}/docs/errors#not_found"
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    "path",
    [
        "/v3/issuers/{}",
        "/v3/issuers/{}/did.json",
        "/v3/issuers/{}/achievements",
        "/v3/achievements/{}",
        "/v3/achievements/{}/image",
        "/v3/credentials/{}",
        "/v3/credentials/{}/image",
        "/v3/status-lists/{}",
        "/v3/status-lists/{}/revocations",
        "/v3/images/{}",
        "/v2/issuers/{}",
        "/v2/issuers/{}/revocations",
        "/v2/badge-classes/{}",
        "/v2/assertions/{}",
    ],
)
@pytest.mark.parametrize("name", [NOBODY, f"urn:uuid:{NOBODY}", "not-an-id", "%00", "a" * 300, "%F0%9F%90%99"])
def test_an_unknown_id_is_a_404(server: LiveServer, path: str, name: str) -> None:
    response = server.get(path.format(name))

    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


def test_another_method_is_a_405_that_says_which_ones_there_are(server: LiveServer) -> None:
    response = server.ask("DELETE", "/v3/issuers")

    assert response.status_code == 405
    assert response.json()["code"] == "method_not_allowed"
    assert response.headers["allow"] == "GET, HEAD, OPTIONS, POST"


def test_options_names_every_method_of_an_address(server: LiveServer) -> None:
    described = server.get("/openapi.json").json()["paths"]
    for path, item in described.items():
        methods = {method.upper() for method in item}

        response = server.ask("OPTIONS", re.sub(r"{\w+}", "0", path))

        assert response.status_code == 204
        allowed = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        assert set(response.headers["allow"].split(", ")) == allowed, path


def test_options_of_the_server_names_every_method(server: LiveServer) -> None:
    (reply,) = exchange(server, b"OPTIONS * HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")

    assert reply.status == 204
    assert reply.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    assert "content-type" not in reply.headers
    assert reply.headers["x-request-id"]
    (other,) = exchange(server, b"GET * HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
    assert other.status == 404


def test_head_answers_as_get_does_without_the_body(server: LiveServer) -> None:
    with server.client as client:
        got, head = client.get("/docs"), client.head("/docs")

    assert head.status_code == 200
    assert head.content == b""
    for name in ("content-type", "content-length", "etag"):
        assert head.headers[name] == got.headers[name]


def test_every_address_that_is_read_has_its_head(server: LiveServer, credential: dict[str, Any]) -> None:
    subject = credential["credentialSubject"]["achievement"]["id"].rpartition("/")[2]
    ids = {
        "issuer_id": credential["issuer"]["id"].rpartition("/")[2],
        "achievement_id": subject,
        "credential_id": credential["id"].rpartition("/")[2],
        "list_id": credential["credentialStatus"]["statusListCredential"].rpartition("/")[2],
    }
    described = server.get("/openapi.json").json()["paths"]
    asked = 0
    for path in (path.format_map(ids) for path, item in described.items() if "get" in item and _known(path, ids)):
        got, head = server.ask("GET", path), server.ask("HEAD", path)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        assert head.headers["content-type"] == got.headers["content-type"]
        asked += 1
    assert asked > 20


def _known(path: str, ids: dict[str, str]) -> bool:
    return all(name in ids for name in re.findall(r"{(\w+)}", path))


def test_a_browser_may_ask_from_another_origin_without_a_key(server: LiveServer) -> None:
    with server.client as client:
        preflight = client.options(
            "/v3/verify",
            headers={"origin": "https://elsewhere.example", "access-control-request-method": "POST"},
        )

    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "authorization" not in preflight.headers["access-control-allow-headers"].lower()


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer"}, {"x-api-key": ""}]
)
def test_without_a_key_there_is_a_challenge(server: LiveServer, headers: dict[str, str]) -> None:
    with server.client as client:
        response = client.get("/v3/issuers", headers=headers)

    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.json()["code"] == "unauthorized"


@pytest.mark.parametrize("key", ["lapel_nobodys", "é" * 10, "x" * 10_000])
def test_a_key_that_is_nobodys_is_refused(server: LiveServer, key: str) -> None:
    with server.client as client:
        response = client.get("/v3/issuers", headers=[(b"x-api-key", key.encode())])

    assert response.status_code == 401


def test_a_key_may_come_in_either_header(server: LiveServer) -> None:
    with server.client as client:
        for headers in ({"authorization": f"bearer {ADMIN_KEY}"}, {"x-api-key": ADMIN_KEY}):
            assert client.get("/v3/issuers", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed_request"),
        (b"{", 400, "malformed_request"),
        (b"\xff\xfe", 400, "malformed_request"),
        (b'{"name": "\\ud800"}', 400, "malformed_request"),
        (b"[" * 100_000, 400, "malformed_request"),
        (b'{"colour":', 400, "malformed_request"),
        (b'{"name": 7,}', 400, "malformed_request"),
        (b'{"name": 7, "url": "\xff"}', 400, "malformed_request"),
        (b"[]", 422, "invalid_input"),
        (b"null", 422, "invalid_input"),
        (b'{"name": 7}', 422, "invalid_input"),
        (b"{}", 422, "invalid_input"),
    ],
)
def test_a_body_that_cannot_be_read_is_told_from_one_with_wrong_members(
    server: LiveServer, body: bytes, status: int, code: str
) -> None:
    response = server.ask("POST", "/v3/issuers", content=body, headers={"content-type": "application/json"})

    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/name", "missing"),
        ({"name": 7}, "/name", "invalid_type"),
        ({"name": "x", "colour": "red"}, "/colour", "unknown_member"),
        ({"name": "x", "identity": "ldap"}, "/identity", "not_allowed"),
        (
            {"name": "x", "address": {"geo": {"latitude": "north", "longitude": 1}}},
            "/address/geo/latitude",
            "invalid_type",
        ),
        (
            {"name": "x", "otherIdentifier": [{"identifier": 1, "identifierType": "x"}]},
            "/otherIdentifier/0/identifier",
            "invalid_type",
        ),
    ],
)
def test_a_wrong_member_is_pointed_at(server: LiveServer, body: dict[str, object], pointer: str, code: str) -> None:
    response = server.ask("POST", "/v3/issuers", json=body)

    assert response.status_code == 422
    assert [(entry["pointer"], entry["code"]) for entry in response.json()["errors"]] == [(pointer, code)]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The body is empty."),
        (b" \n", "The body is empty."),
        (b'{"name": "\\ud800"}', "half of a surrogate pair"),
        (b'{"name": "\\udc00!"}', "half of a surrogate pair"),
        (b'{"name": "\xff"}', "The body is not UTF-8."),
        (b'{"name"', "it ends too early"),
        (b'{"name": "\\ud83d\\ude00"', "it ends too early"),
    ],
)
def test_what_is_wrong_with_a_body_is_said_clearly(server: LiveServer, body: bytes, sentence: str) -> None:
    response = server.ask("POST", "/v3/issuers", content=body, headers={"content-type": "application/json"})

    assert response.status_code == 400
    assert sentence in response.json()["detail"]


def test_a_post_without_anything_says_that_its_body_is_empty(server: LiveServer) -> None:
    response = server.ask("POST", "/v3/issuers")

    assert (response.status_code, response.json()["detail"]) == (400, "The body is empty.")


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("/v3/issuers", {"name": "x", "identity": "ldap"}, "/identity must be one of https, did:web, did:key."),
        (f"/v3/credentials/{NOBODY}/status", {"status": "gone"}, "/status must be one of active, suspended, revoked."),
        (
            "/v3/credentials",
            {"achievement": NOBODY, "recipient": {"type": "email", "identity": "a@b.example"}, "validFrom": "2026"},
            "/validFrom must be a date and time with an offset (RFC 3339), such as 2026-01-31T12:00:00Z.",
        ),
    ],
)
def test_a_wrong_value_is_answered_with_right_ones(
    server: LiveServer, path: str, body: dict[str, object], sentence: str
) -> None:
    response = server.ask("POST", path, json=body)

    assert (response.status_code, response.json()["detail"]) == (422, sentence)


def test_a_body_that_is_not_json_is_a_415(server: LiveServer) -> None:
    response = server.ask("POST", "/v3/issuers", content=b"name=x", headers={"content-type": "text/plain"})

    assert response.status_code == 415


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/v3/issuers", "application/json"),
        ("/v3/credentials/batch", "application/json"),
        ("/v3/verify", "application/json"),
        ("/v3/verify", "multipart/form-data; boundary=x"),
        ("/vc-api/credentials/verify", "application/json"),
    ],
)
def test_a_compressed_body_is_a_415(server: LiveServer, path: str, media_type: str) -> None:
    fields = {"content-type": media_type, "content-encoding": "gzip"}
    response = server.ask("POST", path, content=gzip.compress(b'{"name": "Harbour University"}'), headers=fields)

    assert (response.status_code, response.json()["code"]) == (415, "unknown_content_coding")
    assert response.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
def test_a_body_that_says_that_it_is_not_compressed_is_read(server: LiveServer, coding: str) -> None:
    fields = {"content-type": "application/json", "content-encoding": coding}

    assert server.ask("POST", "/v3/verify", content=b"{}", headers=fields).status_code == 200


def test_a_large_body_is_refused_at_once(server: LiveServer) -> None:
    started = time.perf_counter()
    response = server.ask(
        "POST", "/v3/issuers", content=b"x" * 10_000_000, headers={"content-type": "application/json"}
    )

    assert response.status_code == 413
    assert response.json()["code"] == "too_large"
    assert time.perf_counter() - started < 2


def test_a_large_body_without_a_length_is_counted_as_it_comes(server: LiveServer) -> None:
    host, port = re.fullmatch(r"http://(.*):(\d+)", server.url).groups()  # type: ignore[union-attr]
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(
            b"POST /v3/verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(40):  # 2.6 MB of 2 MB; the end never comes
            connection.sendall(chunk)
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")


def test_no_answer_names_the_server_software(server: LiveServer) -> None:
    response = server.get("/health/live")

    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"


def test_metrics_count_requests_by_route(server: LiveServer) -> None:
    server.get(f"/v3/issuers/{NOBODY}")
    text = server.get("/metrics").text

    assert re.search(r'lapel_http_requests_total\{method="GET",route="/v3/issuers/\{issuer_id\}",status="404"\}', text)
    assert NOBODY not in text


def test_the_description_covers_the_routes_and_resolves(server: LiveServer) -> None:
    description = server.get("/openapi.json").json()

    assert description["openapi"].startswith("3.1")
    assert set(description["paths"]["/v3/credentials"]) == {"get", "post"}
    assert description["paths"]["/v3/credentials"]["post"]["security"]
    body = description["paths"]["/v3/credentials"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["$ref"].rpartition("/")[2] in description["components"]["schemas"]
    listing = {parameter["name"] for parameter in description["paths"]["/v3/credentials"]["get"]["parameters"]}
    assert listing == {"limit", "cursor", *FILTERS}
    assert "image/png" in description["paths"]["/v3/verify"]["post"]["requestBody"]["content"]
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(description)))
    assert references <= set(description["components"]["schemas"])


@pytest.mark.parametrize("path", ["/docs", "/docs/errors"])
def test_the_documentation_asks_nothing_of_others(server: LiveServer, path: str) -> None:
    response = server.get(path)

    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert re.findall(r"<(?:script|link|img|iframe)[^>]*>", response.text) == ['<link rel="icon" href="data:,">']


def test_the_description_says_what_a_caller_has_to_know(server: LiveServer) -> None:
    description = server.get("/openapi.json").json()
    paths, schemas = description["paths"], description["components"]["schemas"]

    assert set(schemas["RecipientInput"]["properties"]["type"]["enum"]) >= {"email", "did", "url", "phone"}
    assert set(schemas["CredentialStatus"]["enum"]) == {"active", "suspended", "revoked"}
    assert schemas["NewIssuer"]["properties"]["url"]["anyOf"][0] == {"type": "string", "format": "uri"}
    assert schemas["VerificationByAddress"]["required"] == ["url"]
    verify = paths["/v3/verify"]["post"]
    assert [parameter["name"] for parameter in verify["parameters"]] == ["recipient"]
    form = verify["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {"file", "text", "url", "recipient"}
    limit = next(item for item in paths["/v3/issuers"]["get"]["parameters"] if item["name"] == "limit")
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    image = paths["/v3/credentials/{credential_id}/image"]["get"]["responses"]["200"]
    assert set(image["content"]) == {"image/png", "image/svg+xml"}
    gone = paths["/v2/assertions/{credential_id}"]["get"]["responses"]["410"]["content"]
    assert set(gone) == {"application/ld+json", "application/problem+json"}
    assert set(paths["/metrics"]["get"]["responses"]["200"]["content"]) == {"text/plain"}


def test_the_documentation_names_query_parameters_and_keeps_methods_whole(server: LiveServer) -> None:
    text = server.get("/docs").text

    assert "<code>recipient</code>" in text
    assert '<span class="method"><code>DELETE</code></span>' in text
    assert '<span class="method"><code>PATCH</code></span>' in text
    assert ".method { white-space: nowrap; }" in text


def test_the_documentation_says_bounds_in_words(server: LiveServer) -> None:
    text = server.get("/docs").text

    assert "integer, 1 to 100, 20 by default" in text
    assert "string, 1 to 200 characters" in text
    assert "string, up to 400 characters" in text


def test_no_route_is_described_as_answering_what_only_the_start_of_a_server_reports(server: LiveServer) -> None:
    assert "address_taken" not in server.get("/openapi.json").text
    assert 'id="address_taken"' in server.get("/docs/errors").text


def test_every_problem_type_is_explained(server: LiveServer) -> None:
    text = server.get("/docs/errors").text

    for code in ("not_found", "unauthorized", "bad_cursor", "method_not_allowed", "database_busy"):
        assert f'id="{code}"' in text
