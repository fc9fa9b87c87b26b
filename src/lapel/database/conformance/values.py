"""Values are returned as they were stored, or refused, in the same way on every database."""

# A transaction may raise its error only at the end of its block.

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.errors import DatabaseError, InvalidValue, NotNullViolation
from lapel.database.interface import Database
from lapel.domain.issuer import Issuer
from lapel.domain.json import JsonValue

__all__ = ["ValueRules"]

EVERY_PLANE = (
    "".join(chr((plane << 16) + 0x1F4) for plane in range(17)) + "\x01\x1f\x7f\x85\u2028\ufeff\uffff\U0010ffff"
)
ONE_MEGABYTE = bytes(range(256)) * 4_096
VALUES: dict[str, JsonValue] = {
    "zz": [0, -1, 2**53, 2**63, -(2**64), 10**30],
    "a": [0.1, -0.5, 1.0, 1e16, 1e300, 5e-324, 1.7976931348623157e308],
    "text": ["", '"\\/\b\f\n\r\t', EVERY_PLANE, "\\u0000"],
    "": [None, True, False, [], {}, [[[]]], {"b": {"a": {}}}],
}


class _ClockSetBack(tzinfo):
    """A time zone in which each hour occurs twice. Python considers two times an hour apart as equal (PEP 495)."""

    def utcoffset(self, dt: datetime | None) -> timedelta:
        return timedelta(hours=2 - (dt.fold if dt is not None else 0))

    def dst(self, dt: datetime | None) -> None:
        return None

    def tzname(self, dt: datetime | None) -> None:
        return None


async def _stored(database: Database, issuer: Issuer) -> Issuer:
    async with database.transaction() as tx:
        await tx.issuers.create(issuer)
    return await database.read().issuers.get(issuer.id)


class ValueRules:
    async def test_text_of_every_plane(self, database: Database) -> None:
        found = await _stored(database, samples.issuer(name=EVERY_PLANE))
        assert found.name == EVERY_PLANE

    async def test_text_is_not_normalised_trimmed_or_padded(self, database: Database) -> None:
        names = [" a ", "e\u0301", "\u00e9", "", "A", "a", "\t\n"]
        found = [(await _stored(database, samples.issuer(name=name))).name for name in names]
        assert found == names

    async def test_long_text(self, database: Database) -> None:
        found = await _stored(database, replace(samples.issuer(), description="\U0001f3c5" * 300_000))
        assert found.description == "\U0001f3c5" * 300_000

    async def test_json_of_every_kind_with_its_members_in_order(self, database: Database) -> None:
        found = await _stored(database, samples.issuer(profile=VALUES))
        assert json.dumps(found.profile) == json.dumps(VALUES)

    async def test_bytes_of_a_megabyte(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        credential = samples.credential(scene.issuer.id, signed=ONE_MEGABYTE)
        async with database.transaction() as tx:
            await tx.credentials.create(credential)
        assert (await database.read().credentials.get(credential.id)).signed == ONE_MEGABYTE

    @pytest.mark.parametrize(
        "moment",
        [
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(1582, 10, 10, 1, 2, 3, 4_000, tzinfo=UTC),
            datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
            datetime(2038, 1, 19, 3, 14, 8, 1_000, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
        ],
        ids=lambda moment: f"{moment.year}",
    )
    async def test_times_to_the_millisecond(self, database: Database, moment: datetime) -> None:
        assert (await _stored(database, samples.issuer(at=moment))).created_at == moment

    async def test_times_are_cut_to_milliseconds_and_are_in_utc(self, database: Database) -> None:
        moment = datetime(2024, 3, 1, 0, 30, 0, 999_999, tzinfo=timezone(timedelta(hours=5, minutes=45)))
        found = await _stored(database, samples.issuer(at=moment))
        assert found.created_at == datetime(2024, 2, 29, 18, 45, 0, 999_000, tzinfo=UTC)
        assert found.created_at.utcoffset() == timedelta(0)

    async def test_the_hour_that_comes_twice_is_two_hours(self, database: Database) -> None:
        first = datetime(2024, 10, 27, 2, 30, tzinfo=_ClockSetBack())
        found = [await _stored(database, samples.issuer(at=first.replace(fold=fold))) for fold in (0, 1)]
        assert found[1].created_at - found[0].created_at == timedelta(hours=1)

    @pytest.mark.parametrize(
        "wrong",
        [
            samples.issuer(name="a\x00b"),
            samples.issuer(name="\ud800"),
            samples.issuer(profile={"a": ["b\x00"]}),
            samples.issuer(profile={"a\x00": 1}),
            samples.issuer(profile={"a": "\\\x00"}),
            samples.issuer(profile={"a": "\udfff"}),
            samples.issuer(at=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
            samples.issuer(at=datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2)))),
            samples.issuer(at=datetime(2024, 1, 1)),  # noqa: DTZ001 - wrong on purpose
            replace(samples.issuer(), version=2**63),
        ],
        ids=[
            "NUL in text",
            "half a surrogate pair",
            "NUL in JSON",
            "NUL in a member's name",
            "NUL after a backslash",
            "half a surrogate pair in JSON",
            "before year 1 in UTC",
            "after year 9999 in UTC",
            "no time zone",
            "more than 64 bits",
        ],
    )
    async def test_a_value_that_one_database_cannot_hold_is_refused_by_all(
        self, database: Database, wrong: Issuer
    ) -> None:
        with pytest.raises(InvalidValue) as caught:
            await _stored(database, wrong)
        assert caught.value.context is not None
        assert caught.value.context.entity == "issuer"

    async def test_a_bulk_insert_refuses_the_same(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        wrong = replace(scene.credential(2), status_reason="a\x00b")
        with pytest.raises(InvalidValue):
            async with database.transaction() as tx:
                await tx.credentials.create_many([scene.credential(1), wrong])

    async def test_a_search_for_what_cannot_be_stored_is_refused(self, database: Database) -> None:
        with pytest.raises(DatabaseError) as caught:
            await database.read().server_facts.find("a\x00b")
        assert caught.value.code == "invalid_value"

    async def test_a_missing_value_is_refused(self, database: Database) -> None:
        missing = replace(
            samples.achievement((await samples.set_scene(database)).issuer.id), description=None
        )  # deliberately wrong
        with pytest.raises(NotNullViolation):
            async with database.transaction() as tx:
                await tx.achievements.create(missing)
