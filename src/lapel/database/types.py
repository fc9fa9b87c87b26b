"""Portable column types: one meaning outside, each database's best form inside.

| type      | outside          | with native types (PostgreSQL) | without (SQLite)              |
|-----------|------------------|--------------------------------|-------------------------------|
| Identifier| `uuid.UUID`      | ``uuid``                       | text, 36 characters           |
| Timestamp | aware `datetime` | ``timestamptz``                | integer milliseconds          |
| Json      | JSON value       | ``json``                       | text                          |
| String    | `str`            | ``text``                       | text                          |
| Whole     | `int`            | ``bigint``                     | integer, 64 bits              |
| Bytes     | `bytes`          | ``bytea``                      | blob                          |

Whether a database has native types is asked of its SQLAlchemy dialect (``supports_native_uuid``), never of its name.

Each refuses, on every database, what one of them cannot hold: NUL characters, times beyond the years 1 to 9999. `Json`
keeps the text as written, so that a document has its members in the same order everywhere; PostgreSQL's ``jsonb``
sorts them and turns 1e300 into 301 digits. A column that is to be searched inside can be cast or indexed by expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from lapel.database.errors import InvalidValue
from lapel.domain.clock import truncate
from lapel.domain.json import JsonValue

__all__ = ["Bytes", "Identifier", "Json", "String", "Timestamp", "Whole"]

_Processor: TypeAlias = Callable[[object], object]
_Types: TypeAlias = "sa.Uuid[UUID] | sa.Text | sa.DateTime | sa.Integer | sa.BigInteger | JSON[JsonValue]"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # an even number of backslashes before it escape one another
_encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder().decode


def _native(dialect: Dialect) -> bool:
    return bool(dialect.supports_native_uuid)


class Identifier(TypeDecorator[UUID]):
    """A UUID."""

    impl = sa.Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> _Types:
        return sa.Uuid() if _native(dialect) else sa.Text()

    def bind_processor(self, dialect: Dialect) -> _Processor | None:
        return None if _native(dialect) else _to_uuid_text

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[object], UUID | None] | None:
        # asyncpg's own UUID class is a subclass of uuid.UUID
        return None if _native(dialect) else _from_uuid_text


class Timestamp(TypeDecorator[datetime]):
    """A moment, in UTC, cut to whole milliseconds."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> _Types:
        return sa.DateTime(timezone=True) if _native(dialect) else sa.Integer()

    def bind_processor(self, dialect: Dialect) -> _Processor | None:
        return _moment if _native(dialect) else _to_milliseconds

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[object], datetime | None] | None:
        return _aware if _native(dialect) else _from_milliseconds


class String(TypeDecorator[str]):
    """Text of any length, without NUL."""

    impl = sa.Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> _Processor | None:
        return _text

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[object], str | None] | None:
        return None


class Whole(TypeDecorator[int]):
    """A whole number of 64 bits."""

    impl = sa.Integer
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> _Types:
        return sa.BigInteger() if _native(dialect) else sa.Integer()

    def bind_processor(self, dialect: Dialect) -> _Processor | None:
        return None

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[object], int | None] | None:
        return None


class Json(TypeDecorator[JsonValue]):
    """A JSON value, kept as it was written. It is never bound as SQL NULL unless it is None."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> _Types:
        return JSON() if _native(dialect) else sa.Text()

    def bind_processor(self, dialect: Dialect) -> _Processor | None:
        return _to_json

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[object], JsonValue | None] | None:
        return _from_json


class Bytes(TypeDecorator[bytes]):
    """Bytes, stored as they are."""

    impl = sa.LargeBinary
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> _Processor | None:
        return None

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[object], bytes | None] | None:
        return None


# Each of these runs for every value of its type: no layer between, and None is asked for in the function itself.


# The keys that rows share (of an issuer, a list) come by again and again, and entities then share them too.


@lru_cache(maxsize=1024)
def _to_uuid_text(value: object) -> str | None:
    return None if value is None else str(value)


@lru_cache(maxsize=1024)
def _from_uuid_text(value: object) -> UUID | None:
    return None if value is None else UUID(str(value))


def _moment(value: object) -> datetime | None:
    if value is None:
        return None
    return truncate(_zoned(value))


def _aware(value: object) -> datetime | None:
    if value is None:
        return None
    assert isinstance(value, datetime)
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)  # asyncpg's first moment of year 1 has none


def _to_milliseconds(value: object) -> int | None:
    if value is None:
        return None
    found = (_zoned(value) - _EPOCH) // _MILLISECOND
    if not _FIRST <= found <= _LAST:
        raise InvalidValue("A time outside the years 1 to 9999 in UTC cannot be stored.")
    return found


def _zoned(value: object) -> datetime:
    assert isinstance(value, datetime)
    if value.tzinfo is None:
        raise InvalidValue("A time without a time zone cannot be stored.")
    return value


def _from_milliseconds(value: object) -> datetime | None:
    if value is None:
        return None
    assert isinstance(value, int)
    return _EPOCH + value * _MILLISECOND


def _text(value: object) -> str | None:
    if value is None:
        return None
    assert isinstance(value, str)
    if "\x00" in value:
        raise InvalidValue("A text with a NUL character cannot be stored.")
    return str.__str__(value)  # an enumeration's member as plain text, which drivers take without asking further


def _to_json(value: object) -> str | None:
    if value is None:
        return None
    text = _encode_json(value).decode()
    if "\\u0000" in text and _ESCAPED_NUL.search(text):
        raise InvalidValue("A text with a NUL character cannot be stored.")
    return text


def _from_json(value: object) -> JsonValue | None:
    if value is None:
        return None
    assert isinstance(value, str | bytes)
    decoded: JsonValue = _decode_json(value)
    return decoded
