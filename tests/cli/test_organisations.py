"""Organisations, and API keys of each, on the command line."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from lapel.bootstrap import build
from lapel.cli.arguments import principal_for
from lapel.config import load_settings
from lapel.openbadges.shapes import Criteria
from lapel.services.requests import NewAchievement, NewIssuer
from tests.cli.conftest import Command, stored


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


def test_another_organisation_issues_from_a_file_and_has_its_keys_rotated(
    lapel: Command, file: Path, tmp_path: Path
) -> None:
    lapel("db", "migrate")
    lapel("organisation", "create", "Riverside School")
    organisation = lapel("organisation", "list").out.split()[0]
    issuer, achievement = asyncio.run(issuer_and_achievement(organisation))

    ended = lapel("issue", file, "--achievement", achievement)
    assert ended.code == 1
    assert "hint: Give its id or its address" in ended.err
    assert "--organisation" in ended.err
    assert lapel("issue", file, "--achievement", achievement, "--organisation", organisation).code == 0
    assert len(stored(tmp_path)) == 2
    assert "credential.issued" in lapel("audit", "list", "--organisation", organisation).out

    assert lapel("keys", "list", issuer).code == 1
    [old] = lapel("keys", "list", issuer, "--organisation", organisation).out.splitlines()
    old_key = old.split()[0]
    new_key = lapel("keys", "rotate", issuer, "--organisation", organisation).out.split()[0]
    key = tmp_path / "key.pem"
    for command in (
        ("retire", issuer, new_key),
        ("compromise", issuer, old_key),
        ("export", new_key, "--out", key, "--unencrypted"),
        ("import", issuer, key),
    ):
        assert lapel("keys", *command).code == 1
        ended = lapel("keys", *command, "--organisation", organisation)
        assert ended.code == 0 or "already" in ended.err


async def issuer_and_achievement(organisation: str) -> tuple[str, str]:
    """Create an issuer and an achievement in that organisation. Returns their ids."""
    principal = principal_for(organisation)
    async with build(load_settings()) as application:
        await application.start()
        services = application.services
        issuer = await services.issuers.create(principal, NewIssuer(name="Riverside School"))
        achievement = await services.achievements.create(
            principal,
            NewAchievement(
                issuer=str(issuer.id),
                name="Swimmer",
                description="Swims.",
                criteria=Criteria(narrative="Swim 25 metres."),
            ),
        )
        return str(issuer.id), str(achievement.id)
