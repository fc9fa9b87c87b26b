"""Portable column types: one meaning outside, each database's best form inside.

| type      | outside          | with native types (PostgreSQL) | without (SQLite)              |
|-----------|------------------|--------------------------------|-------------------------------|
| Identifier| `uuid.UUID`      | ``uuid``                       | text, 36 characters           |
| Timestamp | aware `datetime` | ``timestamptz``                | integer milliseconds          |
| Json      | JSON value       | ``jsonb``                      | text                          |
| Bytes     | `bytes`          | ``bytea``                      | blob                          |

Whether a database has native types is asked of its SQLAlchemy dialect (``supports_native_uuid``), never of its name.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, TypeVar
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from lapel.domain.clock import milliseconds
from lapel.domain.json import JsonValue

__all__ = ["Bytes", "Identifier", "Json", "Timestamp"]

_Processor: TypeAlias = Callable[[object], object]
T = TypeVar("T")
_Types: TypeAlias = "sa.Uuid[UUID] | sa.Text | sa.DateTime | sa.Integer | JSONB[JsonValue]"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder().decode


def _native(dialect: Dialect) -> bool:
    return bool(dialect.supports_native_uuid)


def _unless_none(convert: Callable[[object], T]) -> Callable[[object], T | None]:
    return lambda value: None if value is None else convert(value)


class Identifier(TypeDecorator[UUID]):
    """A UUID."""

    impl = sa.Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> _Types:
        return sa.Uuid() if _native(dialect) else sa.Text()

    def bind_processor(self, dialect: Dialect) -> _Processor | None:
        return None if _native(dialect) else _unless_none(str)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[object], UUID | None] | None:
        # asyncpg's own UUID class is a subclass of uuid.UUID
        return None if _native(dialect) else _unless_none(lambda text: UUID(str(text)))


class Timestamp(TypeDecorator[datetime]):
    """A moment, in UTC, to the millisecond."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> _Types:
        return sa.DateTime(timezone=True) if _native(dialect) else sa.Integer()

    def bind_processor(self, dialect: Dialect) -> _Processor | None:
        return None if _native(dialect) else _unless_none(_to_milliseconds)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[object], datetime | None] | None:
        return None if _native(dialect) else _unless_none(_from_milliseconds)


class Json(TypeDecorator[JsonValue]):
    """A JSON value that is never bound as SQL NULL unless it is None."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> _Types:
        return JSONB() if _native(dialect) else sa.Text()

    def bind_processor(self, dialect: Dialect) -> _Processor | None:
        return _unless_none(lambda value: _encode_json(value).decode())

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[object], JsonValue | None] | None:
        return _unless_none(_from_json)


class Bytes(TypeDecorator[bytes]):
    """Bytes, stored as they are."""

    impl = sa.LargeBinary
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> _Processor | None:
        return None

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[object], bytes | None] | None:
        return None


def _to_milliseconds(value: object) -> int:
    assert isinstance(value, datetime)
    return milliseconds(value)


def _from_milliseconds(value: object) -> datetime:
    assert isinstance(value, int)
    return _EPOCH + value * _MILLISECOND


def _from_json(value: object) -> JsonValue:
    assert isinstance(value, str | bytes)
    decoded: JsonValue = _decode_json(value)
    return decoded
