"""Verifying, baking and the demonstration on the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.http.live_server import LiveServer, live_server
from tests.support.badge_images import SVG, png


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server({"SQLITE_FILE": ":memory:"}) as server:
        yield server


@pytest.fixture(scope="module")
def credential(server: LiveServer) -> dict[str, Any]:
    issuer = server.create("/v3/issuers", name="School", email="badges@school.example", url="https://school.example")
    achievement = server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="Knots",
        description="Ties what must hold.",
        criteria={"narrative": "Tied ten knots."},
        suspendable=True,
    )
    return server.create(
        "/v3/credentials",
        achievement=achievement["id"],
        recipient={"type": "email", "identity": "ada@school.example"},
    )


@pytest.fixture
def saved(credential: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The credential in a file; this machine's own server may be asked about it."""
    monkeypatch.setenv("LAPEL_FETCH_ALLOW_LOOPBACK", "true")
    file = tmp_path / "credential.json"
    file.write_text(json.dumps(credential))
    return file


def test_a_good_badge_ends_with_0(lapel: Command, saved: Path) -> None:
    ended = lapel("verify", saved, "--recipient", "ada@school.example")

    assert ended.code == 0, ended
    assert "This badge is valid." in ended.out
    assert re.search(r"Badge +Knots", ended.out)


def test_a_bad_badge_ends_with_1_and_says_why(lapel: Command, saved: Path) -> None:
    saved.write_text(saved.read_text().replace("Knots", "Juggling"))

    ended = lapel("verify", saved)

    assert ended.code == 1
    assert "NOT valid" in ended.out
    assert "✗ signature" in ended.out


def test_what_is_no_badge_is_not_called_one(lapel: Command, saved: Path, credential: dict[str, Any]) -> None:
    ended = lapel("verify", credential["credentialStatus"]["statusListCredential"])

    assert ended.code == 0, ended
    assert ended.out.endswith("\nThis credential, which is not an Open Badge, is valid.\n")


def test_nobody_is_not_expected(lapel: Command, saved: Path) -> None:
    ended = lapel("verify", saved, "--recipient", " ")

    assert ended.code == 2
    assert "Say whom you expect, or leave it out." in ended.err
    assert ended.out == ""


def test_a_suspended_badge_ends_with_1_and_says_so(lapel: Command, saved: Path, server: LiveServer) -> None:
    url = json.loads(saved.read_text())["id"]
    server.ask("POST", f"{url}/status", json={"status": "suspended", "reason": "Under review."})
    try:
        ended = lapel("verify", saved)
        assert ended.code == 1, ended
        assert "The issuer has suspended it for the time being." in ended.out
    finally:
        server.ask("POST", f"{url}/status", json={"status": "active"})
    assert lapel("verify", saved).code == 0


def test_a_badge_whose_issuer_cannot_be_asked_ends_with_2(
    lapel: Command, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAPEL_FETCH_ALLOW_LOOPBACK", "false")

    ended = lapel("verify", saved)

    assert ended.code == 2
    assert "could not be determined" in ended.out
    assert "LAPEL_FETCH_ALLOW_LOOPBACK=true" in ended.err
    assert lapel("verify", saved, "--allow-loopback").code == 0


def test_a_report_can_be_had_as_json(lapel: Command, saved: Path) -> None:
    report = json.loads(lapel("verify", saved, "--json").out)

    assert report["valid"] is True
    assert report["checks"]


def test_a_badge_can_be_verified_where_it_is_published(lapel: Command, saved: Path, credential: dict[str, Any]) -> None:
    assert lapel("verify", credential["id"]).code == 0


def test_a_badge_on_this_machine_is_fetched_only_when_that_is_said(
    lapel: Command, credential: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAPEL_FETCH_ALLOW_LOOPBACK", raising=False)

    refused = lapel("verify", credential["id"])

    assert refused.code == 2
    assert "A server on this machine itself is only asked if you allow it" in refused.err
    assert "--allow-loopback" in refused.err
    assert refused.err.count("hint:") == 1
    assert lapel("verify", "--allow-loopback", credential["id"]).code == 0


@pytest.mark.parametrize(
    "content",
    [
        "hello",
        "{",
        "[]",
        "null",
        "[" * 5_000,
        '{"name": "no proof", "type": "VerifiableCredential"}',
        '{"proof": {}}',
        "a.b.c",
        "https://school.example/badge",
        "e30.e30.c2ln",  # a header without an algorithm
    ],
)
def test_what_is_no_credential_is_not_baked(lapel: Command, tmp_path: Path, content: str) -> None:
    image, file, out = tmp_path / "image.png", tmp_path / "file", tmp_path / "out.png"
    image.write_bytes(png())
    file.write_text(content)

    ended = lapel("bake", image, file, "--out", out)

    assert ended.code == 1
    assert ended.err.startswith("error: not_a_credential: ")
    assert not out.exists()


@pytest.mark.parametrize(
    ("content", "carrier"),
    [
        ("eyJhbGciOiJFZERTQSJ9.eyJpZCI6InVybjp4In0.c2ln", "3.0, from 'openbadgecredential'"),
        (
            '{"type": ["OpenBadgeCredential"], "name": "Knows https://w3id.org/openbadges/v2", "proof": {}}',
            "3.0, from 'openbadgecredential'",
        ),
        (
            '{"@context": "https://w3id.org/openbadges/v2", "type": "Assertion", "verification": {"type": "hosted"}}',
            "2.0, from 'openbadges'",
        ),
        (
            '{"@context": "https://openbadgespec.org/v2/context.json", "type": "Endorsement", "verification": {}}',
            "2.0, from 'openbadges'",
        ),
        (
            '{"@context": "https://w3id.org/openbadges/v1", "type": "Assertion", "verify": {"type": "hosted"}}',
            "2.0, from 'openbadges'",
        ),
    ],
)
def test_a_credential_lies_in_the_carrier_of_its_version(
    lapel: Command, tmp_path: Path, content: str, carrier: str
) -> None:
    image, file, out = tmp_path / "image.png", tmp_path / "file", tmp_path / "out.png"
    image.write_bytes(png())
    file.write_text(content)

    assert lapel("bake", image, file, "--out", out).code == 0
    assert lapel("unbake", out).out.strip() == content
    assert lapel("unbake", out).err == f"Open Badges {carrier} in image/png.\n"


@pytest.mark.parametrize("empty", [png(), SVG], ids=["PNG", "SVG"])
def test_what_was_baked_last_comes_out_whatever_was_in_the_image(lapel: Command, tmp_path: Path, empty: bytes) -> None:
    image, baked = tmp_path / "image", tmp_path / "baked"
    image.write_bytes(empty)
    newer, older = tmp_path / "newer", tmp_path / "older"
    newer.write_text('{"type": ["OpenBadgeCredential"], "proof": {}}')
    older.write_text('{"type": "Assertion", "verification": {}}')

    for credential in (newer, older, newer):
        assert lapel("bake", image, credential, "--out", baked).code == 0
        assert lapel("unbake", baked).out.strip() == credential.read_text()
        baked.replace(image)


@pytest.mark.parametrize("content", [b"", b"hello", b"{", png(), b"\xff\xfe"])
def test_what_cannot_be_read_ends_with_2(lapel: Command, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "badge"
    file.write_bytes(content)

    ended = lapel("verify", file)

    assert ended.code == 2
    assert ended.err.startswith("error: ")


def test_a_file_that_is_not_there_ends_with_2(lapel: Command, tmp_path: Path) -> None:
    ended = lapel("verify", tmp_path / "nothing.json")

    assert ended.code == 2
    assert "unreadable_file" in ended.err


@pytest.mark.parametrize("picture", [png(), SVG])
def test_what_is_baked_can_be_verified_and_taken_out(
    lapel: Command, saved: Path, tmp_path: Path, picture: bytes
) -> None:
    image, baked, out = tmp_path / "image", tmp_path / "baked", tmp_path / "out.json"
    image.write_bytes(picture)

    assert lapel("bake", image, saved, "--out", baked).code == 0
    assert lapel("verify", baked).code == 0
    assert lapel("unbake", baked, "--out", out).code == 0
    assert out.read_text() == saved.read_text()
    assert lapel("unbake", baked).out.strip() == saved.read_text()


def test_a_result_is_never_written_over_what_it_is_made_of(lapel: Command, tmp_path: Path) -> None:
    image, linked, file = tmp_path / "image.png", tmp_path / "linked.png", tmp_path / "file"
    image.write_bytes(png())
    linked.symlink_to(image)
    file.write_text("eyJhbGciOiJFZERTQSJ9.eyJpZCI6InVybjp4In0.c2ln")
    assert lapel("bake", image, file, "--out", tmp_path / "baked.png").code == 0
    (tmp_path / "baked.png").replace(image)
    before = image.read_bytes(), file.read_text()

    for command in (
        ("unbake", image, "-o", image),
        ("unbake", image, "-o", linked),
        ("bake", image, file, "-o", linked),
        ("bake", linked, file, "-o", image),
        ("bake", image, file, "-o", file),
    ):
        ended = lapel(*command)
        assert ended.code == 1
        assert ended.err.startswith("error: same_file: ")
        assert ended.err.splitlines()[-1] == "hint: Name another file with --out."
    assert (image.read_bytes(), file.read_text()) == before


def test_an_image_without_a_badge_says_so(lapel: Command, tmp_path: Path) -> None:
    image = tmp_path / "plain.png"
    image.write_bytes(png())

    ended = lapel("unbake", image)

    assert ended.code == 1
    assert "error: " in ended.err


def test_a_strangers_text_cannot_steer_the_terminal(lapel: Command, saved: Path) -> None:
    name = "\x1b[2J\x9b2JKnüpfen\u202e\U000e0001"
    saved.write_text(saved.read_text().replace('"Knots"', json.dumps(name)))

    for_people, for_programs = lapel("verify", saved), lapel("verify", saved, "--json")

    for control in ("\x1b", "\x9b", "\u202e", "\U000e0001"):
        assert control not in for_people.out + for_programs.out
    assert "Knüpfen" in for_programs.out
    assert json.loads(for_programs.out)["credential"]["name"] == name


def test_the_demonstration_fills_an_empty_server_once(lapel: Command) -> None:
    shown = lapel("demo")
    assert shown.code == 0, shown
    assert len(re.findall(r"^Credential +http://127\.0\.0\.1:8000/v3/credentials/", shown.out, re.MULTILINE)) == 4

    again = lapel("demo")
    assert again.code == 1
    assert "demo_not_empty" in again.err
    assert "LAPEL_PORT=8001" in again.err, "the port is part of every badge, and another server may have it"


def test_the_demonstrations_hint_leads_to_one(lapel: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lapel("demo")
    hint = lapel("demo").err
    monkeypatch.chdir(tmp_path)
    for name, value in re.findall(r"\b([A-Z_]+)=([\w/.]+)", hint):
        monkeypatch.setenv(name, value)

    assert lapel("demo").code == 0
    assert (tmp_path / "demo" / "lapel.sqlite").exists()
