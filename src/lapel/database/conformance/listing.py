"""Paged lists of credentials, issuers and achievements, with every combination of filters."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import product
from uuid import UUID

from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.interface import Database
from lapel.domain.achievement import Achievement
from lapel.domain.credential import Credential, CredentialStatus
from lapel.domain.identifiers import uuid7_source
from lapel.domain.listing import CredentialFilter, fold_name
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID

__all__ = ["ListRules"]

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_RECIPIENTS = (b"\x01" * 32, b"\x02" * 32, b"\xff" * 32)


class _Filled:
    """Two issuers, three achievements, and their credentials, issued one a minute."""

    def __init__(self, scenes: Sequence[samples.Scene], more: Achievement) -> None:
        self.scenes = scenes
        self.chance = random.Random(1)  # noqa: S311 - no secret
        self.achievements = [*(scene.achievement for scene in scenes), more]
        self.stored: list[Credential] = []
        self._now = samples.MOMENT
        self._new_id = uuid7_source(milliseconds=lambda: int(self._now.timestamp() * 1000))

    async def add(self, database: Database, count: int) -> None:
        """Store further credentials, newer than all earlier ones."""
        credentials = [self._new_credential() for _ in range(count)]
        async with database.transaction() as tx:
            await tx.credentials.create_many(credentials)
        self.stored += credentials

    def _new_credential(self) -> Credential:
        self._now += _MINUTE
        achievement = self.chance.choice(self.achievements)
        return replace(
            samples.credential(achievement.issuer_id, achievement=achievement),
            id=self._new_id(),
            created_at=self._now + timedelta(milliseconds=3),
            recipient_lookup=self.chance.choice(_RECIPIENTS),
            status=self.chance.choice([*CredentialStatus]),
            # Few distinct values, so that many credentials share one.
            valid_from=samples.MOMENT - _DAY * self.chance.randrange(5),
        )

    def filters(self) -> Iterator[CredentialFilter]:
        """Yield every combination of filters."""
        middle = self.stored[len(self.stored) // 2].created_at
        for issuer, achievement, recipient, status, created, valid in product((0, 1), repeat=6):
            since, until = (middle - 10 * _MINUTE, middle + 10 * _MINUTE) if created else (None, None)
            yield CredentialFilter(
                issuer_id=self.scenes[0].issuer.id if issuer else None,
                achievement_id=self.achievements[2].id if achievement else None,
                recipient_lookup=_RECIPIENTS[2] if recipient else None,
                status=self.chance.choice([*CredentialStatus]) if status else None,
                created_since=since,
                created_before=until,
                valid_since=samples.MOMENT - 3 * _DAY if valid else None,
                valid_before=samples.MOMENT if valid else None,
            )

    def expected(self, by: CredentialFilter) -> list[Credential]:
        """Return the stored credentials that match, in order."""
        matching = [each for each in self.stored if _matches(each, by)]
        if by.by_validity:
            return sorted(matching, key=lambda each: (each.valid_from, each.id), reverse=True)
        return matching[::-1]


def _matches(credential: Credential, by: CredentialFilter) -> bool:
    equal = (
        (by.issuer_id, credential.issuer_id),
        (by.achievement_id, credential.achievement_id),
        (by.recipient_lookup, credential.recipient_lookup),
        (by.status, credential.status),
    )
    return (
        all(expected in (None, actual) for expected, actual in equal)
        and (by.created_since is None or by.created_since <= credential.created_at)
        and (by.created_before is None or credential.created_at < by.created_before)
        and (by.valid_since is None or by.valid_since <= credential.valid_from)
        and (by.valid_before is None or credential.valid_from < by.valid_before)
    )


async def _fill(database: Database, count: int) -> _Filled:
    scenes = [await samples.set_scene(database) for _ in range(2)]
    more = samples.achievement(scenes[0].issuer.id)
    async with database.transaction() as tx:
        await tx.achievements.create(more)
    filled = _Filled(scenes, more)
    await filled.add(database, count)
    return filled


async def _read_all(
    database: Database, by: CredentialFilter, limit: int, between: Callable[[], Awaitable[None]] | None = None
) -> list[Credential]:
    found: list[Credential] = []
    before: UUID | None = None
    valid_before: datetime | None = None
    while page := await database.read().credentials.page(
        DEFAULT_ORGANISATION_ID, by, before=before, valid_before=valid_before, limit=limit
    ):
        found += page
        before, valid_before = page[-1].id, page[-1].valid_from
        if between is not None:
            await between()
    return found


class ListRules:
    async def test_every_way_to_narrow_a_list_gives_each_credential_once(self, database: Database) -> None:
        filled = await _fill(database, 150)
        some = 0
        for by in filled.filters():
            expected = filled.expected(by)
            assert await _read_all(database, by, filled.chance.randint(1, 40)) == expected, by
            some += bool(expected)
        assert some > 40

    async def test_credentials_issued_meanwhile_move_no_page(self, database: Database) -> None:
        filled = await _fill(database, 60)

        async def between() -> None:
            await filled.add(database, 3)

        async def newer() -> None:
            if len(filled.stored) < 130:
                await filled.add(database, 2)

        before = filled.expected(CredentialFilter())
        assert await _read_all(database, CredentialFilter(), 7, between) == before
        by = CredentialFilter(valid_since=samples.MOMENT - 9 * _DAY)
        before = filled.expected(by)
        seen = await _read_all(database, by, 7, newer)
        assert len({one.id for one in seen}) == len(seen)
        assert [one for one in seen if one in before] == before

    async def test_names_are_found_by_what_they_begin_with(self, database: Database) -> None:
        scenes = [await samples.set_scene(database) for _ in range(2)]
        names = [
            "Straße",
            "STRASSEN",
            "strasse",
            "Stra",
            "Z",
            "Strafe",
            "é",
            "\U0001f3c5",
            "ﬁsh",
            "x" * 5_000,
            "%",
        ]
        made = [samples.achievement(scenes[nth % 2].issuer.id, name=name) for nth, name in enumerate(names)]
        owners = [samples.issuer(name=name) for name in names]
        async with database.transaction() as tx:
            for one, owner in zip(made, owners, strict=True):
                await tx.achievements.create(one)
                await tx.issuers.create(owner)
        for asked in ("", "stra", "Strass", "STRAẞE", "s", "fi", "%", "E\u0301", "\U0001f3c5", "x" * 300, "zz"):
            prefix = fold_name(asked)
            expected = sorted(
                (one for one in made if fold_name(one.name).startswith(prefix)),
                key=lambda one: (fold_name(one.name).encode(), one.id),
            )
            found: list[Achievement] = []
            after = None
            while page := await database.read().achievements.page_by_name(
                DEFAULT_ORGANISATION_ID, prefix, after=after, limit=2
            ):
                found += [one for one in page if one in made]
                after = fold_name(page[-1].name), page[-1].id
            assert found == expected
            of_one = await database.read().achievements.page_by_name(
                DEFAULT_ORGANISATION_ID, prefix, issuer_id=scenes[0].issuer.id, after=None, limit=99
            )
            assert [one for one in of_one if one in made] == [one for one in expected if one in made[::2]]
            issuers = await database.read().issuers.page_by_name(DEFAULT_ORGANISATION_ID, prefix, after=None, limit=99)
            assert [one.name for one in issuers if one in owners] == [one.name for one in expected]
