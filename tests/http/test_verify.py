"""``POST /v3/verify``: open to everybody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.http.live_server import LiveServer


def verify(server: LiveServer, **options: Any) -> Any:
    with server.client as client:
        return client.post("/v3/verify", **options)


def outcome(report: dict[str, Any], code: str) -> str:
    return next(str(check["outcome"]) for check in report["checks"] if check["code"] == code)


def test_our_own_credential_is_valid(server: LiveServer, credential: dict[str, Any]) -> None:
    response = verify(server, json=credential)

    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    report = response.json()
    assert report["valid"] is True, report
    assert report["credential"]["name"] == credential["credentialSubject"]["achievement"]["name"]


@pytest.mark.parametrize(
    "media_type", ["application/vc", "application/ld+json", "text/plain", "application/octet-stream", ""]
)
def test_the_content_counts_not_what_it_is_called(
    server: LiveServer, credential: dict[str, Any], media_type: str
) -> None:
    response = verify(server, content=json.dumps(credential), headers={"content-type": media_type})

    assert response.json()["valid"] is True


def test_an_object_that_is_no_badge_has_a_report_and_what_cannot_be_read_has_none(server: LiveServer) -> None:
    no_badge = verify(server, json={})

    assert (no_badge.status_code, no_badge.json()["valid"]) == (200, False)
    assert outcome(no_badge.json(), "structure") == "fail"
    for content in (b"[]", b"hello", b"{"):
        assert verify(server, content=content, headers={"content-type": "application/json"}).status_code == 400


def test_a_changed_credential_is_not_valid(server: LiveServer, credential: dict[str, Any]) -> None:
    changed = json.loads(json.dumps(credential))
    changed["credentialSubject"]["achievement"]["name"] = "Doctor of Everything"

    report = verify(server, json=changed).json()

    assert report["valid"] is False
    assert outcome(report, "signature") == "fail"


def test_a_revoked_credential_is_not_valid(server: LiveServer, achievement: dict[str, Any]) -> None:
    issued = server.create(
        "/v3/credentials", achievement=achievement["id"], recipient={"type": "email", "identity": "d@school.example"}
    )
    server.ask("POST", f"{issued['id']}/status", json={"status": "revoked"})

    report = verify(server, json=issued).json()

    assert report["valid"] is False
    assert outcome(report, "status") == "fail"


def test_a_token_is_verified(server: LiveServer, achievement: dict[str, Any]) -> None:
    issued = server.ask(
        "POST",
        "/v3/credentials",
        json={
            "achievement": achievement["id"],
            "recipient": {"type": "email", "identity": "e@school.example"},
            "format": "vc-jwt",
        },
    )

    assert (
        verify(server, content=issued.content, headers={"content-type": "application/vc+jwt"}).json()["valid"] is True
    )


def test_an_address_of_ours_is_verified_without_the_network(server: LiveServer, credential: dict[str, Any]) -> None:
    report = verify(server, json={"url": credential["id"], "recipient": "ada@school.example"}).json()

    assert report["valid"] is True, report
    assert outcome(report, "recipient") == "pass"


def test_a_form_with_a_file_is_verified(server: LiveServer, credential: dict[str, Any]) -> None:
    response = verify(
        server,
        files={"file": ("badge.json", json.dumps(credential), "application/json")},
        data={"recipient": "somebody@else.example"},
    )

    assert response.json()["valid"] is False
    assert outcome(response.json(), "recipient") == "fail"


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"", "application/json", 400),
        (b"hello", "text/plain", 400),
        (b"{", "application/json", 400),
        (b'{"a": 1, "a": 2}', "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b"\x89PNG\r\n\x1a\n", "image/png", 400),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 400),
        (b"<!DOCTYPE svg [<!ENTITY a 'a'>]><svg/>", "image/svg+xml", 400),
        (b"x", "application/pdf", 415),
        (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x", 400),
        (b"", "multipart/form-data", 400),
        (b"garbage", "multipart/form-data; boundary=x", 400),
    ],
)
def test_what_cannot_be_read_is_a_problem(server: LiveServer, content: bytes, media_type: str, status: int) -> None:
    response = verify(server, content=content, headers={"content-type": media_type})

    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/latest", "http://127.0.0.1:1/", "https://127.0.0.1/", "file:///etc/passwd", "https://"],
)
def test_addresses_that_are_nobodys_business_are_not_asked(server: LiveServer, url: str) -> None:
    response = verify(server, json={"url": url})

    assert response.status_code == 400, response.text


def test_a_badge_that_is_readable_and_bad_is_a_report(server: LiveServer) -> None:
    response = verify(server, json={"type": ["VerifiableCredential"]})

    assert response.status_code == 200
    assert response.json()["valid"] is False


@pytest.mark.parametrize(("recipient", "expected"), [("ada@school.example", "pass"), ("eve@school.example", "fail")])
def test_whom_to_expect_can_be_said_with_every_kind_of_body(
    server: LiveServer, credential: dict[str, Any], recipient: str, expected: str
) -> None:
    image = server.get(f"{credential['id']}/image")
    ways: list[dict[str, Any]] = [
        {"params": {"recipient": recipient}, "json": credential},
        {"params": {"recipient": recipient}, "json": {"url": credential["id"]}},
        {"params": {"recipient": recipient}, "content": image.content, "headers": {"content-type": "image/svg+xml"}},
        {"params": {"recipient": recipient}, "files": {"file": ("badge.svg", image.content)}},
        {"json": {"url": credential["id"], "recipient": recipient}},
        {"files": {"file": ("badge.svg", image.content)}, "data": {"recipient": recipient}},
        {"params": {"recipient": recipient}, "json": {"url": credential["id"], "recipient": recipient}},
    ]
    for way in ways:
        response = verify(server, **way)
        assert response.status_code == 200, (way, response.text)
        assert outcome(response.json(), "recipient") == expected, way


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"url": "https://b.example/1", "expected_recipient": "a@b.example"}, "/expected_recipient", "unknown_member"),
        ({"url": "https://b.example/1", "recipient": 7}, "/recipient", "invalid_type"),
        ({"url": 7}, "/url", "invalid_type"),
        ({"url": None}, "/url", "invalid_type"),
        ({"url": "https://b.example/1", "recipient": " "}, "/recipient", "empty"),
        ({"url": "https://b.example/1", "recipient": "a" * 2_049}, "/recipient", "too_large"),
    ],
)
def test_a_wrong_question_is_a_422_and_not_a_bad_badge(
    server: LiveServer, body: dict[str, Any], pointer: str, code: str
) -> None:
    response = verify(server, json=body)

    assert response.status_code == 422
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [(pointer, code)]


def test_an_address_with_nothing_there_cannot_be_read_and_is_no_fault_of_the_server(
    server: LiveServer, credential: dict[str, Any]
) -> None:
    response = verify(server, json={"url": f"{credential['id'][:-4]}ffff"})

    assert (response.status_code, response.json()["code"]) == (400, "fetch_not_found")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://b.example/1", "b.example/1", "{}"])
def test_what_is_no_address_to_fetch_is_told_so(server: LiveServer, url: str) -> None:
    response = verify(server, json={"url": url})

    assert (response.status_code, response.json()["code"]) == (400, "unreadable_badge")
    assert "Only https addresses are fetched" in response.json()["detail"]


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"params": {"recipient": ""}}, 422),
        ({"params": {"expected_recipient": "a@b.example"}}, 400),
        ({"params": [("recipient", "a@b.example"), ("recipient", "b@b.example")]}, 400),
    ],
)
def test_whom_to_expect_is_never_passed_over(
    server: LiveServer, credential: dict[str, Any], options: dict[str, Any], status: int
) -> None:
    assert verify(server, json=credential, **options).status_code == status


def test_a_form_with_another_field_is_a_422(server: LiveServer, credential: dict[str, Any]) -> None:
    response = verify(
        server, files={"file": ("badge.json", json.dumps(credential))}, data={"expected_recipient": "a@b.example"}
    )

    assert response.status_code == 422


def test_two_different_people_are_a_422(server: LiveServer, credential: dict[str, Any]) -> None:
    body = {"url": credential["id"], "recipient": "ada@school.example"}

    assert verify(server, json=body, params={"recipient": "eve@school.example"}).status_code == 422


@pytest.mark.parametrize("form", ["v3", "v2"])
def test_an_image_of_ours_is_verified_by_its_address(server: LiveServer, credential: dict[str, Any], form: str) -> None:
    url = credential["id"] if form == "v3" else credential["id"].replace("/v3/credentials/", "/v2/assertions/")

    report = verify(server, json={"url": f"{url}/image"}).json()

    assert report.get("valid") is True, report
    assert report["kind"] == ("OpenBadgeCredential" if form == "v3" else "Assertion")


def test_an_image_of_ours_with_a_revoked_assertion_is_not_valid(
    server: LiveServer, achievement: dict[str, Any]
) -> None:
    issued = server.create(
        "/v3/credentials", achievement=achievement["id"], recipient={"type": "email", "identity": "f@school.example"}
    )
    server.ask("POST", f"{issued['id']}/status", json={"status": "revoked"})
    for url in (issued["id"], issued["id"].replace("/v3/credentials/", "/v2/assertions/")):
        report = verify(server, json={"url": f"{url}/image"}).json()
        assert report["valid"] is False
        assert outcome(report, "status") == "fail"


def test_a_badge_is_revoked_the_moment_it_is(server: LiveServer, achievement: dict[str, Any]) -> None:
    for number in range(5):
        issued = server.create(
            "/v3/credentials",
            achievement=achievement["id"],
            recipient={"type": "email", "identity": f"{number}@school.example"},
        )
        server.ask("POST", f"{issued['id']}/status", json={"status": "revoked"})
        assert verify(server, json=issued).json()["valid"] is False


def send_form(server: LiveServer, *parts: tuple[bytes, bytes, bytes]) -> Any:
    """A form with parts of any name, Content-Type and content."""
    part = b'--b\r\nContent-Disposition: form-data; name="%b"\r\nContent-Type: %b\r\n\r\n%b\r\n'
    body = b"".join(part % each for each in parts) + b"--b--\r\n"
    return verify(server, content=body, headers={"content-type": "multipart/form-data; boundary=b"})


@pytest.mark.parametrize(
    ("field", "part_type", "content"),
    [
        (b"file", b"text/plain; charset=foo", b"\xff"),
        (b"file", b"text/plain; charset=utf-8", b"\xff"),
        (b"file", b"text/plain; charset=utf-7", b"+2AA-"),  # half of a surrogate pair
        (b"url", b"text/plain; charset=utf-7", b"+2AA-"),
        (b"url", b"text/plain", b"\xed\xa0\x80"),
        (b"recipient", b"text/plain; charset=utf-16", b"\xff\xfe"),
        # Decoded as it says of itself, this keeps a server busy for half a minute.
        (b"url", b"text/plain; charset=punycode", b"a-" + b"z9" * 100_000),
    ],
)
def test_a_part_of_a_form_is_not_decoded_as_it_says(
    server: LiveServer, field: bytes, part_type: bytes, content: bytes
) -> None:
    answer = send_form(server, (field, part_type, content))

    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_file_sent_as_a_text_is_verified_byte_for_byte(server: LiveServer, credential: dict[str, Any]) -> None:
    answer = send_form(server, (b"file", b"text/plain; charset=utf-16", json.dumps(credential).encode()))

    assert answer.json()["valid"] is True


@pytest.mark.parametrize("field", [b"file", b"url", b"recipient"])
def test_a_field_that_is_in_a_form_twice_is_not_chosen_from(server: LiveServer, field: bytes) -> None:
    answer = send_form(server, *[(field, b"text/plain", b"https://a.example")] * 2)

    assert answer.status_code == 400
    assert "more than once" in answer.json()["detail"]


def test_a_field_without_a_name_is_a_422(server: LiveServer) -> None:
    answer = send_form(server, (b"", b"text/plain", b"x"))

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("A field without a name")


@pytest.mark.parametrize("body", [b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n{}', b"--b--"[:3]])
def test_a_form_that_breaks_off_is_a_400(server: LiveServer, body: bytes) -> None:
    answer = verify(server, content=body, headers={"content-type": "multipart/form-data; boundary=b"})

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


def test_spaces_around_what_was_pasted_into_a_form_do_not_count(server: LiveServer, credential: dict[str, Any]) -> None:
    address, who = f" {credential['id']}\n".encode(), b"ada@school.example "
    report = send_form(server, (b"url", b"text/plain", address), (b"recipient", b"text/plain", who)).json()

    assert report["valid"] is True
    assert outcome(report, "recipient") == "pass"


def test_nobody_in_a_form_is_not_taken_for_anybody(server: LiveServer, credential: dict[str, Any]) -> None:
    file = (b"file", b"application/json", json.dumps(credential).encode())

    assert send_form(server, file, (b"recipient", b"text/plain", b"  ")).status_code == 422
