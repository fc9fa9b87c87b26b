"""Organisations, and API keys of each, on the command line."""

from __future__ import annotations

import re

from tests.cli.conftest import Command


def test_an_organisation_has_keys_of_its_own(lapel: Command) -> None:
    lapel("db", "migrate")
    made = lapel("organisation", "create", "Riverside\nSchool\x9b")
    assert made.code == 0
    assert re.fullmatch(r"lapel_[\w-]{43}\n", made.out)
    first, second = lapel("organisation", "list").out.splitlines()
    assert first.endswith("Riverside\ufffdSchool\ufffd")
    assert second.startswith("00000000-0000-7000-8000-000000000001")
    organisation = first.split()[0]
    assert organisation in made.err

    assert lapel("apikey", "create", "--role", "viewer", "--organisation", organisation).code == 0
    viewer, owner = lapel("apikey", "list", "--organisation", organisation).out.splitlines()
    assert ("viewer" in viewer, "owner" in owner) == (True, True)
    assert lapel("apikey", "list").out == ""
    assert lapel("apikey", "revoke", owner.split()[0]).code == 1
    assert lapel("apikey", "revoke", owner.split()[0], "--organisation", organisation).code == 0
    address = f"https://b.example/v3/organisations/{organisation}"
    assert "revoked" in lapel("apikey", "list", "--organisation", address).out
    assert "api_key.revoked" in lapel("audit", "list", "--organisation", address).out
    assert r"Riverside\nSchool\u009b" in lapel("audit", "list", "--organisation", address, "--json").out


def test_a_key_is_made_for_an_organisation_that_there_is(lapel: Command) -> None:
    lapel("db", "migrate")
    ended = lapel("apikey", "create", "--organisation", "018f3c1a-0000-7000-8000-000000000000")
    assert (ended.code, "no organisation" in ended.err) == (1, True)
