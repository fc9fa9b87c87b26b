"""A new master key: everything is encrypted under it, or nothing, and what the old one found is found still."""

from __future__ import annotations

import asyncio
import resource
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from lapel.credentials.key_storage.master_key import ISSUE_KEYS, RECIPIENT_LOOK_UP, MasterKey, WrongMasterKey
from lapel.database.interface import DatabaseSettings
from lapel.domain.issuer import Issuer
from lapel.domain.signing_key import KeyAlgorithm, KeyState
from lapel.errors import InvalidInput, Unavailable
from lapel.services.keys.key_ring import KeyRing, MasterKeyReplaced
from lapel.services.keys.master_key import MasterKeyRotating, MissingMasterKey, StoredMasterKey, find_master_key
from tests.support.databases import opened
from tests.unit.services.server import MASTER_KEY, OWNER, Server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "lapel.sqlite.master-key"
    file.write_text(MASTER_KEY.to_text())
    return file


def started(file: Path) -> StoredMasterKey:
    return find_master_key(text=None, file=file, is_shared=True, own_file=None)


async def test_after_a_rotation_only_the_new_key_opens(server: Server, file: Path) -> None:
    issuer = await server.issuer()
    before = {algorithm: await server.key_ring.ensure(issuer, algorithm) for algorithm in KeyAlgorithm}
    kept = started(file)
    await kept.establish(server.database)

    done = await kept.rotate(server.database)

    assert (done.keys, done.file) == (3, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert done.old_file == file.with_name(f"{file.name}.old")
    assert done.old_file.read_text() == MASTER_KEY.to_text()
    assert set(file.parent.iterdir()) == {file, done.old_file}
    new = started(file)
    await new.establish(server.database)
    assert new.key.to_text() != MASTER_KEY.to_text()
    ring = KeyRing(store=server.database, master_key=new.key, clock=lambda: server.now, new_id=server.new_id)
    for algorithm, loaded in before.items():
        assert (await ring.ensure(issuer, algorithm)).private == loaded.private
    with pytest.raises(WrongMasterKey):
        await StoredMasterKey(MASTER_KEY).establish(server.database)


async def test_a_link_to_the_file_stays_one(server: Server, file: Path) -> None:
    await server.issuer()
    real = file.rename(file.parent / "mounted")
    file.symlink_to(real)
    kept = started(file)
    await kept.establish(server.database)

    await kept.rotate(server.database)

    assert file.is_symlink()
    assert set(file.parent.iterdir()) == {file, real, real.with_name("mounted.old")}
    await started(real).establish(server.database)


async def test_the_key_that_is_in_use_is_no_new_one(server: Server, file: Path) -> None:
    kept = started(file)
    await kept.establish(server.database)
    with pytest.raises(InvalidInput, match="in use"):
        await kept.rotate(server.database, new_file=file)
    await started(file).establish(server.database)


async def test_recipients_and_rows_are_found_as_before_however_often_it_rotates(server: Server, file: Path) -> None:
    keys = []
    for _ in range(3):
        kept = started(file)
        keys.append(kept.key.to_text())
        await kept.establish(server.database)
        for purpose in (RECIPIENT_LOOK_UP, ISSUE_KEYS):
            assert kept.key.derive(purpose) == MASTER_KEY.derive(purpose)
        await kept.rotate(server.database)
    assert [started(file.with_name(file.name + end)).key.to_text() for end in (".old", ".old.2", ".old.3")] == keys
    assert started(file).key.derive(b"something else") != MASTER_KEY.derive(b"something else")


async def test_a_server_that_still_runs_signs_on_and_makes_no_key_under_the_old_one(server: Server, file: Path) -> None:
    badge = await server.badge()
    kept = started(file)
    await kept.establish(server.database)
    await kept.rotate(server.database)

    await server.issue(achievement=str(badge.achievement_id))

    with pytest.raises(MasterKeyReplaced) as caught:
        await server.issuer()
    assert isinstance(caught.value, Unavailable)
    with pytest.raises(MasterKeyReplaced):
        await server.issue(achievement=str(badge.achievement_id), format="vc-jwt")
    keys = await server.key_ring.public_keys(badge.issuer_id)
    assert [key.algorithm for key in keys] == [KeyAlgorithm.ED25519]


async def test_a_server_that_still_runs_hears_that_a_key_is_compromised(server: Server, file: Path) -> None:
    issuer = await server.issuer()
    key = (await server.key_ring.ensure(issuer, KeyAlgorithm.ED25519)).key
    kept = started(file)
    await kept.establish(server.database)
    await kept.rotate(server.database)

    marked = await server.signing_keys.compromise(OWNER, issuer.id, key.id)

    assert marked.state is KeyState.COMPROMISED
    assert await server.database.read().signing_keys.of_issuer(issuer.id) == [marked], "no successor"
    with pytest.raises(MasterKeyReplaced):
        await server.key_ring.ensure(issuer, KeyAlgorithm.ED25519)


async def test_a_key_in_a_setting_is_succeeded_by_one_in_a_file(server: Server, tmp_path: Path) -> None:
    await server.issuer()
    kept = StoredMasterKey(MASTER_KEY)
    await kept.establish(server.database)
    with pytest.raises(MissingMasterKey):
        await kept.rotate(server.database)

    done = await kept.rotate(server.database, new_file=tmp_path / "new")

    assert done.file == tmp_path / "new"
    assert [path.name for path in tmp_path.iterdir() if "new" in path.name] == ["new"]
    await started(done.file).establish(server.database)


@pytest.mark.parametrize("name", [None, "new"])
async def test_what_fails_half_way_changes_nothing(server: Server, file: Path, name: str | None) -> None:
    issuer = await server.issuer()
    await server.key_ring.ensure(issuer, KeyAlgorithm.P256)
    kept = started(file)
    await kept.establish(server.database)
    damaged = (await server.key_ring.public_keys(issuer.id))[0]
    foreign = MasterKey(bytes(range(1, 33))).wrap(b"key", associated_data=damaged.id.bytes)
    async with server.database.transaction() as tx:
        await tx.signing_keys.update(replace(damaged, private_key_encrypted=foreign))

    with pytest.raises(WrongMasterKey):
        await kept.rotate(server.database, new_file=file.with_name(name) if name else None)

    assert file.read_text() == MASTER_KEY.to_text()
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    await started(file).establish(server.database)
    whole = [key for key in await server.key_ring.public_keys(issuer.id) if key.id != damaged.id]
    assert all(server.key_ring.private_half(key) for key in whole)


async def test_on_a_full_disk_nothing_is_left_of_a_rotation(server: Server, file: Path) -> None:
    kept = started(file)
    await kept.establish(server.database)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))  # a new key has 65 bytes
    try:
        with pytest.raises(MissingMasterKey, match="File too large") as caught:
            await kept.rotate(server.database)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "its disk has room" in str(caught.value.hint)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


async def test_a_rotation_that_was_interrupted_is_told_with_what_to_do(server: Server, file: Path) -> None:
    kept = started(file)
    await kept.establish(server.database)
    waiting = file.with_name(f"{file.name}.next")
    waiting.write_text(MasterKey.generate().to_text())
    with pytest.raises(MasterKeyRotating):  # before the commit
        await kept.rotate(server.database)
    waiting.unlink()

    old = file.with_name(f"{file.name}.old")
    old.hardlink_to(file)  # by the one that was interrupted
    assert (await kept.rotate(server.database)).old_file == old
    file.rename(waiting)
    old.rename(file)
    with pytest.raises(WrongMasterKey) as caught:  # after it
        await started(file).establish(server.database)
    assert f"move {waiting} to {file}" in str(caught.value.hint)
    waiting.rename(file)
    await started(file).establish(server.database)


async def test_of_two_that_rotate_at_once_one_is_told_of_the_other(
    server: Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one finds its file when it has looked already whether there is one."""
    kept = started(file)
    await kept.establish(server.database)
    waiting, link = file.with_name(f"{file.name}.next"), Path.hardlink_to

    def overtaken(name: Path, target: Path) -> None:
        link(name, target)
        waiting.write_text(MasterKey.generate().to_text())

    monkeypatch.setattr(Path, "hardlink_to", overtaken)
    with pytest.raises(MasterKeyRotating):
        await kept.rotate(server.database)

    assert file.read_text() == MASTER_KEY.to_text()
    await started(file).establish(server.database)


async def test_no_key_is_stored_under_a_master_key_that_is_just_being_replaced(
    database_settings: tuple[str, DatabaseSettings], file: Path
) -> None:
    async with opened(*database_settings) as database:
        server = Server(database)
        kept = started(file)
        await kept.establish(database)
        await server.issuer()
        made = [asyncio.create_task(server.issuer(name=f"School {number}")) for number in range(12)]
        await asyncio.wait(made, return_when=asyncio.FIRST_COMPLETED)

        await kept.rotate(database)

        ended = await asyncio.gather(*made, return_exceptions=True)
        assert all(isinstance(one, Issuer | MasterKeyReplaced) for one in ended), ended
        new = started(file).key
        stored = await database.read().signing_keys.page(before=None, limit=100)
        assert len(stored) == 1 + sum(isinstance(one, Issuer) for one in ended)
        for key in stored:
            assert new.unwrap(key.private_key_encrypted or b"", associated_data=key.id.bytes)
