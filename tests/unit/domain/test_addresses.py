"""Is an address one of this server, however it is written?"""

from __future__ import annotations

import pytest

from lapel.domain.addresses import Addresses

OURS = [
    "https://badges.example",
    "https://badges.example/v3/credentials/1",
    "HTTPS://Badges.Example/v3",
    "https://badges.example:443/v3",
    "https://badges.example:0443/v3",
    "http://badges.example/v3",
    "http://badges.example:80",
    "https://ada@badges.example/v3",
    "https://ada:secret@badges.example./v3",
    "https://badges.example?a=b",
    "https:\\\\badges.example\\v3",
    "https:badges.example/v3",
    " \thttps://badges.example",
    "https://bad\nges.example",
    "https://b%61dges.example/v3",
    "https://b\uff41dges.example/v3",
]
OTHERS = [
    "",
    "did:example:ada",
    "ftp://badges.example",
    "https://badges.example.org/v3",
    "https://badges.example:8443/v3",
    "https://badges.example@other.example/",
    "https://other.example/https://badges.example",
    "https://badges.example:port/",
    "https://[",
    f"https://{'a' * 70}.example/",
]


@pytest.mark.parametrize("text", OURS)
def test_it_is_known_however_it_is_written(text: str) -> None:
    assert Addresses("https://badges.example").is_own_url(text)


@pytest.mark.parametrize("text", OTHERS)
def test_what_leads_elsewhere_does_not_lead_here(text: str) -> None:
    assert not Addresses("https://badges.example").is_own_url(text)


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("https://one.example/badges", True),
        ("https://one.example/badges/v3/credentials/1", True),
        ("https://one.example//badges/", True),
        ("https://one.example/other/../b%61dges/v3", True),
        ("https://one.example/badges-of-others", False),
        ("https://one.example/", False),
    ],
)
def test_below_a_path_it_is_what_is_below_it(text: str, ours: bool) -> None:
    assert Addresses("https://one.example/badges").is_own_url(text) is ours
