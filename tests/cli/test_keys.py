"""``lapel keys``: rotate, retire, give up, take in, hand out, and exchange the master key."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from lapel.credentials import keys
from lapel.credentials.key_storage.key_files import private_pem, read_key
from lapel.domain.signing_key import KeyAlgorithm
from tests.cli.conftest import Command

PASSPHRASE = "correct horse battery"


@pytest.fixture
def issuer(lapel: Command) -> str:
    """The id of an issuer that has issued."""
    shown = lapel("demo")
    assert shown.code == 0, shown.err
    return shown.out.split()[1].rpartition("/")[2]


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.write_text(f"{PASSPHRASE}\n")
    return file


def listed(lapel: Command, issuer: str) -> dict[str, list[str]]:
    """Id to algorithm, state and place."""
    shown = lapel("keys", "list", issuer)
    assert shown.code == 0, shown.err
    return {line.split()[0]: line.split()[1:4] for line in shown.out.splitlines()}


def test_keys_are_rotated_retired_and_given_up(lapel: Command, issuer: str) -> None:
    before = listed(lapel, issuer)
    assert sorted(before.values()) == [["Ed25519", "active", "here"], ["RSA", "active", "here"]]
    [old] = [key for key, (algorithm, *_) in before.items() if algorithm == "Ed25519"]
    [rsa] = [key for key, (algorithm, *_) in before.items() if algorithm == "RSA"]

    new = lapel("keys", "rotate", issuer).out.split()[0]
    assert lapel("keys", "retire", issuer, rsa).code == 0
    told = lapel("keys", "compromise", issuer, old, "--since", "2026-01-31T12:00:00Z")

    assert "not believed from 2026-01-31T12:00:00Z on" in told.out
    assert "revoke" in told.err
    after = listed(lapel, issuer)
    assert (after.pop(old), after.pop(rsa)) == (["Ed25519", "compromised", "here"], ["RSA", "retired", "here"])
    assert after.pop(new) == ["Ed25519", "active", "here"]
    assert list(after.values()) == [["RSA", "active", "here"]]


@pytest.mark.parametrize(
    "arguments",
    [
        ("compromise", "ISSUER", "KEY", "--since", "yesterday"),
        ("compromise", "ISSUER", "KEY", "--since", "2026-01-31T12:00:00"),
        ("retire", "ISSUER", "018f3c1a-0000-7000-8000-000000000000"),
        ("rotate", "018f3c1a-0000-7000-8000-000000000000"),
        ("export", "KEY", "--out", "OUT", "--form", "jwk"),
        ("import", "ISSUER", "/dev/null"),
    ],
)
def test_what_cannot_be_is_told(lapel: Command, issuer: str, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    names = {"ISSUER": issuer, "KEY": next(iter(listed(lapel, issuer))), "OUT": str(tmp_path / "out")}
    before = listed(lapel, issuer)

    ended = lapel("keys", *(names.get(argument, argument) for argument in arguments))

    assert ended.code == 1
    assert ended.err.startswith("error: ")
    assert listed(lapel, issuer) == before
    assert not (tmp_path / "out").exists()


def test_a_key_is_handed_out_encrypted_or_with_a_warning(
    lapel: Command, issuer: str, passphrase: Path, tmp_path: Path
) -> None:
    key, sealed = next(iter(listed(lapel, issuer))), tmp_path / "sealed.pem"

    shown = lapel("keys", "export", key, "--out", sealed, "--passphrase-file", passphrase)
    assert (shown.code, shown.err) == (0, "")
    private = read_key(sealed.read_bytes(), passphrase=PASSPHRASE.encode()).private_key
    assert stat.S_IMODE(sealed.stat().st_mode) == 0o600
    assert sealed.read_bytes().startswith(b"-----BEGIN ENCRYPTED")
    for form in ("pem", "jwk"):
        shown = lapel("keys", "export", key, "--out", tmp_path / form, "--unencrypted", "--form", form)
        assert "NOT encrypted" in shown.err
        assert read_key((tmp_path / form).read_bytes()).private_key == private
    again = lapel("keys", "export", key, "--out", sealed, "--unencrypted")
    assert again.code == 1
    assert "already exists" in again.err


def test_a_key_from_elsewhere_is_taken_in(lapel: Command, issuer: str, passphrase: Path, tmp_path: Path) -> None:
    pair, file = keys.generate(KeyAlgorithm.P256), tmp_path / "key.pem"
    file.write_bytes(private_pem(pair.private_key, passphrase=PASSPHRASE.encode()))

    taken = lapel("keys", "import", issuer, file, "--passphrase-file", passphrase)

    assert taken.out.split()[1:4] == ["P-256", "active", "here"]
    assert lapel("keys", "import", issuer, file, "--passphrase-file", passphrase).code == 1
    file.write_text(json.dumps(keys.jwk(keys.generate(KeyAlgorithm.P256).public_key)))
    refused = lapel("keys", "import", issuer, file)
    assert "key_not_held" in refused.err


def test_the_master_key_is_exchanged_beside_its_database(lapel: Command, issuer: str, tmp_path: Path) -> None:
    file = tmp_path / "lapel.sqlite.master-key"
    before = file.read_text()
    owner = 65534 if os.geteuid() == 0 else os.geteuid()  # root rotates for the server's user
    os.chown(file, owner, -1)

    shown = lapel("keys", "rotate-master")

    assert file.stat().st_uid == owner
    assert shown.out.startswith("Every private key (2) is encrypted under the new master key")
    assert file.read_text() != before
    assert file.with_name(f"{file.name}.old").read_text() == before
    assert f"The old one is in {file}.old: delete it once no backup needs it." in shown.err
    assert lapel("keys", "rotate", issuer).code == 0
    file.write_text(before)
    assert "wrong_master_key" in lapel("keys", "rotate", issuer).err


def test_a_master_key_in_a_setting_needs_a_file_for_the_next(
    lapel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAPEL_MASTER_KEY", "6b1f0c9d" * 8)
    assert lapel("demo").code == 0
    assert "--new-file" in lapel("keys", "rotate-master").err

    shown = lapel("keys", "rotate-master", "--new-file", tmp_path / "next")

    assert f"LAPEL_MASTER_KEY_FILE={tmp_path / 'next'}" in shown.err
    assert "wrong_master_key" in lapel("db", "status").err + lapel("apikey", "list").err
    monkeypatch.delenv("LAPEL_MASTER_KEY")
    monkeypatch.setenv("LAPEL_MASTER_KEY_FILE", str(tmp_path / "next"))
    assert lapel("apikey", "list").code == 0


def test_who_misspells_an_issuer_is_told_all_that_names_one(lapel: Command, issuer: str) -> None:
    ended = lapel("keys", "list", issuer[:-1])

    assert ended.code == 1
    assert ended.err.splitlines() == [
        f"error: invalid_input: {issuer[:-1]!r} is not an identifier.",
        "hint: Use its UUID, bare or as urn:uuid:…, its address or its DID.",
    ]
