"""Keys that an outside signer holds: made there, taken over from there, and never seen here."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from lapel.credentials import keys
from lapel.credentials.signing.outside_signer import OutsideSigner, SignerUnavailable, key_name
from lapel.credentials.signing.signer_service import KeyFolder, serving_signer
from lapel.domain.signing_key import KeyAlgorithm, KeyState
from lapel.errors import Unavailable
from lapel.services.keys.key_ring import KeyRing
from lapel.services.keys.signing_keys import KeyNotExportable
from tests.unit.services.server import MASTER_KEY, OWNER, Server, award, running
from tests.unit.services.site import failures, verify


@pytest.fixture
def folder(tmp_path: Path) -> KeyFolder:
    return KeyFolder(tmp_path / "keys", passphrase=None)


@pytest.fixture
async def holder(folder: KeyFolder, tmp_path: Path) -> AsyncIterator[OutsideSigner]:
    async with serving_signer(folder, tmp_path / "socket"):
        outside = OutsideSigner(tmp_path / "socket", answer_seconds=60)
        yield outside
        await outside.close()


class Watched(OutsideSigner):
    """Notes the most signatures that it was asked for at the same time."""

    owed = most = 0

    async def sign(self, name: str, data: bytes) -> bytes:
        self.owed += 1
        self.most = max(self.most, self.owed)
        try:
            return await super().sign(name, data)
        finally:
            self.owed -= 1


def ring(server: Server, holder: OutsideSigner | None) -> KeyRing:
    return KeyRing(
        store=server.database, master_key=MASTER_KEY, clock=lambda: server.now, new_id=server.new_id, holder=holder
    )


async def test_a_new_key_is_made_there_and_the_database_has_its_public_half(
    holder: OutsideSigner, folder: KeyFolder
) -> None:
    async with running(holder=holder) as server:
        badge = await server.badge()

        report = await verify(server, badge.signed)
        assert report.valid, failures(report)
        [key] = await server.key_ring.public_keys(badge.issuer_id)
        assert key.private_key_encrypted is None
        assert len(folder) == 1
        assert folder.find(key_name(key.public_key)).public_key == key.public_key
        with pytest.raises(KeyNotExportable):
            await server.signing_keys.private_half(OWNER, key.id)
        issuer = await server.issuers.get(badge.issuer_id)
        with pytest.raises(Unavailable) as caught:
            await ring(server, None).ensure(issuer, KeyAlgorithm.ED25519)
        # Over HTTP nothing is told but what its class says, and waiting helps nobody.
        assert "LAPEL_SIGNER_SOCKET" in (type(caught.value)().hint or "")


@pytest.mark.parametrize("format_", ["eddsa-rdfc-2022", "vc-jwt"])
async def test_of_a_batch_many_are_asked_for_together_as_each_may_be_far_away(
    folder: KeyFolder, tmp_path: Path, format_: str
) -> None:
    async with serving_signer(folder, tmp_path / "socket"):
        watched = Watched(tmp_path / "socket", answer_seconds=60)
        async with running(holder=watched) as server:
            badge = await server.badge(format=format_)
            recipients = [{"type": "email", "identity": f"ada{number}@example.org"} for number in range(150)]
            named = str(badge.achievement_id)

            issued = await server.issue_many(
                [award(achievement=named, recipient=recipient, format=format_) for recipient in recipients]
            )

            assert len({credential.id for credential in issued}) == 150
            assert (await verify(server, issued[77].signed)).valid
        await watched.close()
    assert watched.most >= 10


async def test_a_did_key_may_be_held_there_too(holder: OutsideSigner) -> None:
    async with running(holder=holder) as server:
        await server.issuer(identity="did:key")
        achievement = await server.achievement()
        for format_ in ("eddsa-rdfc-2022", "vc-jwt"):
            badge = await server.issue(achievement=str(achievement.id), format=format_)
            report = await verify(server, badge.signed)
            assert report.valid, failures(report)


async def test_a_key_of_the_database_signs_on_until_it_is_rotated(server: Server, holder: OutsideSigner) -> None:
    issuer = await server.issuer()
    with_holder = ring(server, holder)
    assert (await with_holder.ensure(issuer, KeyAlgorithm.ED25519)).private is not None
    assert (await with_holder.ensure(issuer, KeyAlgorithm.P256)).private is None


async def test_a_key_that_is_held_there_is_taken_over_by_its_public_half(
    holder: OutsideSigner, folder: KeyFolder
) -> None:
    held = keys.public_der(keys.from_jwk(json.loads(json.dumps(folder.create(KeyAlgorithm.ED25519)))))
    async with running(holder=holder) as server:
        before = await server.badge()

        taken = await server.signing_keys.import_key(OWNER, before.issuer_id, public_key=held, private_key=None)

        after = await server.issue(achievement=str(before.achievement_id))
        assert keys.multikey(taken.public_key) in after.signed.decode()
        for badge in (before, after):
            report = await verify(server, badge.signed)
            assert report.valid, failures(report)
        stranger = keys.generate(KeyAlgorithm.ED25519).public_key
        with pytest.raises(SignerUnavailable):
            await server.signing_keys.import_key(OWNER, before.issuer_id, public_key=stranger, private_key=None)


async def test_no_issuer_gets_a_key_with_which_the_signer_cannot_sign(
    holder: OutsideSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def somebody_elses(_: KeyAlgorithm) -> bytes:
        return keys.generate(KeyAlgorithm.ED25519).public_key

    async with running(holder=holder) as server:
        badge = await server.badge()
        monkeypatch.setattr(holder, "create", somebody_elses)

        with pytest.raises(SignerUnavailable):
            await server.signing_keys.rotate(OWNER, badge.issuer_id, KeyAlgorithm.ED25519)

        [key] = await server.key_ring.public_keys(badge.issuer_id)
        assert key.state is KeyState.ACTIVE
        assert (await verify(server, (await server.issue(achievement=str(badge.achievement_id))).signed)).valid


async def test_that_others_know_a_key_is_told_while_its_signer_is_away(folder: KeyFolder, tmp_path: Path) -> None:
    outside = OutsideSigner(tmp_path / "socket", answer_seconds=60)
    async with AsyncExitStack() as signer:
        await signer.enter_async_context(serving_signer(folder, tmp_path / "socket"))
        async with running(holder=outside) as server:
            badge = await server.badge()
            [key] = await server.key_ring.public_keys(badge.issuer_id)
            await signer.aclose()

            with pytest.raises(SignerUnavailable):
                await server.signing_keys.retire(OWNER, badge.issuer_id, key.id)
            await server.signing_keys.compromise(OWNER, badge.issuer_id, key.id)

            [key] = await server.key_ring.public_keys(badge.issuer_id)
            assert key.state is KeyState.COMPROMISED
            async with serving_signer(folder, tmp_path / "socket"):
                assert (await verify(server, (await server.issue(achievement=str(badge.achievement_id))).signed)).valid
            await outside.close()
