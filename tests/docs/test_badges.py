"""docs/badges.md names every member that a caller may send."""

from __future__ import annotations

import re

import pytest
from msgspec import Struct, structs

from lapel.services.requests import (
    AchievementChanges,
    IdentityInput,
    IssuerChanges,
    NewAchievement,
    NewCredential,
    NewEndorsement,
    NewIssuer,
    RecipientInput,
)
from tests.support.source_tree import REPOSITORY

TEXT = (REPOSITORY / "docs" / "badges.md").read_text()
SECTIONS = {match[1]: match[2] for match in re.finditer(r"## (\w+)[^\n]*\n(.*?)(?=\n## |\Z)", TEXT, re.DOTALL)}


@pytest.mark.parametrize(
    ("section", "request_shape"),
    [
        ("Issuers", NewIssuer),
        ("Issuers", IssuerChanges),
        ("Achievements", NewAchievement),
        ("Achievements", AchievementChanges),
        ("Credentials", NewCredential),
        ("Credentials", RecipientInput),
        ("Credentials", IdentityInput),
        ("Endorsements", NewEndorsement),
    ],
)
def test_every_member_is_documented(section: str, request_shape: type[Struct]) -> None:
    documented = set(re.findall(r"`(?:recipient\.)?([A-Za-z]+)`", SECTIONS[section]))
    assert {field.encode_name for field in structs.fields(request_shape)} <= documented
