"""A backup put in place of a running server's file: nothing that was remembered of the other database is used again."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from lapel.database.interface import DatabaseSettings
from lapel.openbadges.profile import verification_method
from lapel.services.keys.published_keys import published_key as published_of
from lapel.services.requests import AchievementChanges
from tests.support.databases import opened
from tests.unit.services.server import OWNER, Server


async def test_services_forget_the_database_that_it_takes_the_place_of(tmp_path: Path) -> None:
    file, backup = tmp_path / "lapel.sqlite", tmp_path / "backup.sqlite"
    async with opened("sqlite", DatabaseSettings(sqlite_file=file, serves=True)) as database:
        server = Server(database)
        await server.issuer()
        achievement = await server.achievement()
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as target:
            source.backup(target)
        await server.achievements.change(OWNER, achievement.id, changes(name="Lost edit"))
        lost = await server.issue(achievement=str(achievement.id))

        os.utime(backup, (0, 0))
        os.replace(backup, file)
        async with asyncio.timeout(60):
            while database.generation == 0:
                await asyncio.sleep(0.01)
        await server.achievements.change(OWNER, achievement.id, changes(name="New edit"))
        issued = [await server.issue(achievement=str(achievement.id)) for _ in range(5)]

        document = json.loads(issued[0].signed)
        assert document["credentialSubject"]["achievement"]["name"] == "New edit"
        assert lost.achievement_version == issued[0].achievement_version == 2
        method = document["proof"][0]["verificationMethod"]
        published = [
            verification_method(published_key, controller=method.partition("#")[0])
            for published_key in map(published_of, await server.key_ring.public_keys(issued[0].issuer_id))
        ]
        assert method in published, "it is signed with a key that the database has"


def changes(**members: object) -> AchievementChanges:
    return msgspec.json.decode(msgspec.json.encode(members), type=AchievementChanges)
