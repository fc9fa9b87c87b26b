"""Related resources: their digests and media types (Verifiable Credentials 2.0, 5.3)."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from tests.unit.services.verifying.world import World, failed

LOGO = "https://school.example/logo.png"
SRI = f"sha384-{base64.b64encode(hashlib.sha384(b'logo').digest()).decode()}"
MULTIHASH = b"\x12\x20" + hashlib.sha256(b"logo").digest()
MULTIBASE = f"u{base64.urlsafe_b64encode(MULTIHASH).decode().rstrip('=')}"


@pytest.mark.parametrize(
    "members",
    [
        {"digestSRI": SRI},
        {"digestSRI": f"{SRI} {SRI.replace('sha384', 'sha512')}"},
        {"digestSRI": [SRI], "digestMultibase": MULTIBASE},
        {"digestMultibase": [MULTIBASE, "zQmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"]},
        {"digestMultibase": f"f{MULTIHASH.hex()}"},
        {"digestSRI": SRI, "mediaType": "image/png"},
        {"digestSRI": SRI, "mediaType": "application/vc+ld+json"},
        {"digestSRI": SRI, "mediaType": "text/html; charset=utf-8"},
    ],
)
async def test_a_related_resource_has_digests_and_may_have_a_media_type(world: World, members: dict[str, Any]) -> None:
    badge = world.badge(relatedResource=[{"id": LOGO, **members}])

    assert (await world.verify(world.sign(badge))).valid is True


@pytest.mark.parametrize(
    ("members", "wrong"),
    [
        ({"digestSRI": "logo"}, "digestSRI"),
        ({"digestSRI": f"md5-{'A' * 22}=="}, "digestSRI"),
        ({"digestSRI": SRI.removeprefix("sha384-")}, "digestSRI"),
        ({"digestSRI": "", "digestMultibase": MULTIBASE}, "digestSRI"),
        ({"digestSRI": [SRI, "logo"]}, "digestSRI"),
        ({"digestMultibase": "not a digest"}, "digestMultibase"),
        ({"digestMultibase": f"{MULTIBASE}="}, "digestMultibase"),
        ({"digestMultibase": "z0OIl"}, "digestMultibase"),
        ({"digestSRI": SRI, "mediaType": "picture"}, "mediaType"),
        ({"digestSRI": SRI, "mediaType": "image/"}, "mediaType"),
        ({"digestSRI": SRI, "mediaType": "image /png"}, "mediaType"),
        ({"digestSRI": SRI, "mediaType": ["image/png"]}, "mediaType"),
    ],
)
async def test_a_digest_or_a_media_type_of_another_form_fails_structure(
    world: World, members: dict[str, Any], wrong: str
) -> None:
    """VC 2.0, 5.3; Subresource Integrity, 3.5 (hash-expression); Controlled Identifiers 1.0, 2.4; RFC 6838, 4.2."""
    report = await world.verify(world.sign(world.badge(relatedResource=[{"id": LOGO, **members}])))

    assert failed(report) == [("structure", "member_invalid")]
    assert f"relatedResource/0/{wrong} must be" in (report.checks[0].detail or "")
