"""What an issuer says of a badge without ending it (Bitstring Status List 1.0, 2.1, `statusMessage`)."""

from __future__ import annotations

from typing import Any

import pytest

from lapel.credentials import bitstring_status_list
from tests.unit.services.verifying.standing.test_status import entry, status
from tests.unit.services.verifying.world import World

TWO = [{"status": "0x0", "message": "as new"}, {"status": "0x1", "message": "worn"}]
FOUR = [*TWO, {"status": "0x2", "message": "under review"}, {"status": "0x3", "message": "undefined"}]


@pytest.mark.parametrize(
    ("bit", "members", "message"),
    [
        (10, {"statusSize": 2, "statusMessage": FOUR}, "under review"),
        (5, {"statusSize": 1, "statusMessage": TWO}, "worn"),
        (5, {"statusMessage": TWO}, "worn"),
        (5, {}, "set"),
    ],
)
@pytest.mark.parametrize("purpose", ["message", "refresh"])
async def test_a_message_is_a_warning_with_its_text(
    world: World, bit: int, members: dict[str, Any], message: str, purpose: str
) -> None:
    encoded = bitstring_status_list.encode(bitstring_status_list.from_indices([bit], length=262_144))
    subject = {"type": "BitstringStatusList", "statusPurpose": purpose, "encodedList": encoded}
    world.publish_list(changes={"credentialSubject": subject})
    badge = world.badge(credentialStatus=entry(statusPurpose=purpose, **members))

    report = await world.verify(world.sign(badge))

    assert status(report) == [("warn", "status_message")]
    assert [check.detail for check in report.checks if check.code == "status"] == [message]
    assert report.valid is True
