"""Portable column types: one Python type each, stored in the form that suits the database best.

| type      | Python           | with native types (PostgreSQL) | without (SQLite)              |
|-----------|------------------|--------------------------------|-------------------------------|
| Identifier| `uuid.UUID`      | ``uuid``                       | text, 36 characters           |
| Timestamp | aware `datetime` | ``timestamptz``                | integer milliseconds          |
| Json      | JSON value       | ``json``                       | text                          |
| String    | `str`            | ``text``                       | text                          |
| Folded    | `str`            | ``text``, collation ``C``      | text                          |
| Whole     | `int`            | ``bigint``                     | integer, 64 bits              |
| Flag      | `bool`           | ``boolean``                    | integer, 0 or 1               |
| Bytes     | `bytes`          | ``bytea``                      | blob                          |

The SQLAlchemy dialect's ``supports_native_uuid`` decides whether a database has native types, never its name.

Each type refuses, on every database, the values that one of them cannot store: NUL characters, times outside the years
1 to 9999. `Json` keeps the text as written, so that a document's members have the same order everywhere; PostgreSQL's
``jsonb`` sorts them and turns 1e300 into 301 digits. To search inside a column, cast it or index an expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar, TypeAlias, TypeVar
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from lapel.database.errors import InvalidValue
from lapel.domain.clock import from_milliseconds, milliseconds, truncate
from lapel.domain.identifiers import id_text
from lapel.domain.json import JsonValue

__all__ = ["Bytes", "Flag", "Folded", "Identifier", "Json", "Portable", "String", "Timestamp", "Whole"]

_Binder: TypeAlias = Callable[[Any], object]
_Types: TypeAlias = "sa.Uuid[UUID] | sa.Text | sa.DateTime | sa.Integer | sa.Boolean | sa.LargeBinary | JSON[JsonValue]"
PythonType = TypeVar("PythonType")
_Reader: TypeAlias = Callable[[Any], PythonType]

_FIRST = milliseconds(datetime.min.replace(tzinfo=UTC))
_LAST = milliseconds(datetime.max.replace(tzinfo=UTC))
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # an even number of backslashes before it escape one another
_encode_json = msgspec.json.Encoder().encode
_decode_json: Callable[[str], JsonValue] = msgspec.json.Decoder().decode

# Each of these functions runs for every value of its type that is not None, so they call each other directly.


# Ids that many rows share (of an issuer, a list) recur; the entities then share one object.
@lru_cache(maxsize=1024)
def _from_uuid_text(value: str) -> UUID:
    return msgspec.convert(value, UUID)


def _moment(value: object) -> datetime:
    return truncate(_zoned(value))


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)  # asyncpg's result for the year 1's start


def _to_milliseconds(value: object) -> int:
    moment = _zoned(value)
    return _cached_milliseconds(moment, moment.fold)


@lru_cache(maxsize=1024)  # rows stored together often have the same time
def _cached_milliseconds(moment: datetime, _fold: int) -> int:
    # `fold` is part of the key: where a clock is set back, two times an hour apart compare as equal (PEP 495).
    count = milliseconds(moment)
    if not _FIRST <= count <= _LAST:
        raise InvalidValue("A time outside the years 1 to 9999 in UTC cannot be stored.")
    return count


def _zoned(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise InvalidValue(f"A time is needed here, not {type(value).__name__}.")
    if value.tzinfo is None:
        raise InvalidValue("A time without a time zone cannot be stored.")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidValue(f"A text is needed here, not {type(value).__name__}.")
    if "\x00" in value:
        raise InvalidValue("A text with a NUL character cannot be stored.")
    return str.__str__(value)  # the plain text of an enum member, for which drivers have a fast path


def _to_json(value: object) -> str:
    text = _encode_json(value).decode()
    if "\\u0000" in text and _ESCAPED_NUL.search(text):
        raise InvalidValue("A text with a NUL character cannot be stored.")
    return text


@dataclass(frozen=True, slots=True)
class _Form:
    """How a type is stored, and the conversions of its values; None where the driver's values are used as they are."""

    stored: _Types
    bind: _Binder | None = None
    read: _Reader[Any] | None = None


class Portable(TypeDecorator[PythonType]):
    """A type with one form for dialects with native types, and one for those without."""

    cache_ok = True
    native: ClassVar[_Form]
    plain: ClassVar[_Form]

    def _form(self, dialect: Dialect) -> _Form:
        return self.native if dialect.supports_native_uuid else self.plain

    def load_dialect_impl(self, dialect: Dialect) -> _Types:
        return self._form(dialect).stored

    def bind_processor(self, dialect: Dialect) -> _Binder | None:
        return self._form(dialect).bind

    def result_processor(self, dialect: Dialect, coltype: object) -> _Reader[PythonType] | None:
        return self._form(dialect).read


class Identifier(Portable[UUID]):
    """A UUID."""

    impl = sa.Uuid
    native = _Form(sa.Uuid())  # asyncpg's class is a subclass of uuid.UUID
    plain = _Form(sa.Text(), id_text, _from_uuid_text)


class Timestamp(Portable[datetime]):
    """A time in UTC, truncated to whole milliseconds."""

    impl = sa.DateTime
    native = _Form(sa.DateTime(timezone=True), _moment, _aware)
    plain = _Form(sa.Integer(), _to_milliseconds, from_milliseconds)


class String(Portable[str]):
    """Text of any length, without NUL."""

    impl = sa.Text
    native = plain = _Form(sa.Text(), _text)


class Folded(Portable[str]):
    """Text that every database compares by its bytes in UTF-8."""

    impl = sa.Text
    native = _Form(sa.Text(collation="C"), _text)
    plain = _Form(sa.Text(), _text)


class Whole(Portable[int]):
    """A 64-bit integer."""

    impl = sa.Integer
    native = _Form(sa.BigInteger())
    plain = _Form(sa.Integer())


class Flag(Portable[bool]):
    """A boolean; never null."""

    impl = sa.Boolean
    native = _Form(sa.Boolean())
    plain = _Form(sa.Integer(), read=bool)


class Json(Portable[JsonValue]):
    """A JSON value, stored as it was written. Only None is bound as SQL NULL."""

    impl = sa.Text
    native = _Form(JSON(), _to_json, _decode_json)
    plain = _Form(sa.Text(), _to_json, _decode_json)


class Bytes(Portable[bytes]):
    """Bytes, stored as they are."""

    impl = sa.LargeBinary
    native = plain = _Form(sa.LargeBinary())
