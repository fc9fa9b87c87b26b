"""Bitstring Status List 1.0 (W3C Recommendation, 15 May 2025): writing and reading lists of status bits.

Bit 0 is the left-most, most significant bit of the first byte (2.2). A list is compressed with GZIP and encoded as
multibase base64url (``u…``; 3.3, 3.4).
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from lapel.credentials.jose import base64url
from lapel.credentials.jsonld.iris import is_absolute
from lapel.domain.clock import format_timestamp
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.status_list import LIST_LENGTH, StatusPurpose
from lapel.errors import InvalidInput, TooLarge

__all__ = [
    "CREDENTIAL_TYPE",
    "ENTRY_TYPE",
    "LIST_TYPE",
    "InvalidStatusEntry",
    "InvalidStatusList",
    "OutsideStatusList",
    "ShortStatusList",
    "StatusEntry",
    "decode",
    "encode",
    "entry",
    "from_indices",
    "list_credential",
    "parse_entry",
    "permuted_index",
    "read",
]

CONTEXT: Final = "https://www.w3.org/ns/credentials/v2"
ENTRY_TYPE: Final = "BitstringStatusListEntry"
CREDENTIAL_TYPE: Final = "BitstringStatusListCredential"
LIST_TYPE: Final = "BitstringStatusList"
MAX_BYTES: Final = 4 * 1024 * 1024
"""The maximum size of a foreign list after decompression: 33.5 million entries."""

_MAX_INDEX_DIGITS: Final = 1_000  # of any size by 2.1; Python converts no more than 4,300
_HEXADECIMAL: Final = re.compile(r"0x[0-9A-Fa-f]{1,8}").fullmatch
_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"  # no time, no name, no operating system
_GZIP: Final = 16 + zlib.MAX_WBITS


class InvalidStatusList(InvalidInput):
    """This status list cannot be read."""

    code = "invalid_status_list"


class InvalidStatusEntry(InvalidInput):
    """This status entry cannot be used."""

    code = "invalid_status_entry"


class ShortStatusList(InvalidStatusList):
    """This status list has too few entries to hide a holder among them."""


class OutsideStatusList(InvalidStatusEntry):
    """This status entry lies outside of its list."""


# --- bits ---


def from_indices(indices: Iterable[int], *, length: int = LIST_LENGTH) -> bytes:
    """Return a bitstring of `length` bits in which those at `indices` are set.

    Raises:
        InvalidStatusList: an index is out of range, or `length` is not a multiple of 8 of at least 131,072.
    """
    if length % 8 or length < LIST_LENGTH:
        raise InvalidStatusList(f"A status list has at least {LIST_LENGTH:,} entries, a multiple of 8.")
    bits = bytearray(length // 8)
    for index in indices:
        if not 0 <= index < length:
            raise InvalidStatusList(f"Index {index} lies outside of a list of {length} entries.")
        bits[index >> 3] |= 0x80 >> (index & 7)
    return bytes(bits)


def read(bits: bytes, index: int, *, size: int = 1) -> int:
    """Return the value of the entry at `index`, where each entry has `size` bits (``statusSize``).

    Raises:
        OutsideStatusList: the entry lies outside the list (RANGE_ERROR in 3.2).
    """
    first = index * size
    if not 1 <= size <= 32 or index < 0 or first + size > len(bits) * 8:
        raise OutsideStatusList(f"Entry {index} of {size} bits lies outside of this status list.")
    end = first + size
    window = int.from_bytes(bits[first >> 3 : (end + 7) >> 3], "big")
    return window >> (-end % 8) & ((1 << size) - 1)


def encode(bits: bytes) -> str:
    """Return the ``encodedList`` of a bitstring. The same bits always give the same text.

    Raises:
        InvalidStatusList: fewer than 131,072 bits, which would not protect the privacy of holders (2.2).
    """
    if len(bits) * 8 < LIST_LENGTH:
        raise InvalidStatusList(f"A status list has at least {LIST_LENGTH:,} entries.")
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(bits) + deflate.flush()
    trailer = struct.pack("<II", zlib.crc32(bits), len(bits) & 0xFFFFFFFF)
    return "u" + base64url.encode(_GZIP_HEADER + body + trailer)


def decode(encoded: str, *, size: int = 1, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the bitstring of an ``encodedList``.

    Args:
        encoded: ``u`` and base64url without padding.
        size: bits in an entry (``statusSize``), which determine the minimum length.
        max_bytes: the maximum size after decompression.

    Raises:
        TooLarge: the decompressed list exceeds `max_bytes`.
        InvalidStatusList: another encoding, truncated or damaged.
        ShortStatusList: fewer than 131,072 entries (STATUS_LIST_LENGTH_ERROR in 3.2).
    """
    # GZIP enlarges incompressible data slightly; no valid list is longer than this.
    if len(encoded) > (max_bytes + max_bytes // 1000 + 4096) * 4 // 3:
        raise TooLarge(f"A status list may have at most {max_bytes:,} bytes.")
    if not encoded.startswith("u"):
        raise InvalidStatusList("A status list is encoded as multibase base64url and begins with 'u'.")
    try:
        compressed = base64url.decode(encoded[1:])
    except base64url.InvalidBase64Url as error:
        raise InvalidStatusList(error.detail) from error
    inflate = zlib.decompressobj(_GZIP)
    try:
        bits = inflate.decompress(compressed, max_bytes + 1)
    except zlib.error as error:
        raise InvalidStatusList("This status list is not GZIP, or is damaged.") from error
    if len(bits) > max_bytes:
        raise TooLarge(f"A status list may have at most {max_bytes:,} bytes.")
    if not inflate.eof or inflate.unused_data:
        raise InvalidStatusList("This status list is cut off, or something follows it.")
    if len(bits) * 8 < LIST_LENGTH * size:
        raise ShortStatusList(f"A status list must have at least {LIST_LENGTH:,} entries.")
    return bits


# --- allocation ---


def permuted_index(position: int, *, seed: bytes, length: int = LIST_LENGTH) -> int:
    """Return the index of the `position`-th allocated entry, by a pseudo-random permutation of ``range(length)``.

    Random allocation is recommended in 2.1. The permutation is a Feistel network over just enough bits, whose round
    function is BLAKE2b keyed by `seed`; a value outside the range goes through the network again until it is inside.
    The algorithm must never change, or indices would be allocated twice.

    Args:
        position: 0 to ``length - 1``.
        seed: the list's secret, 16 to 64 bytes.
        length: at least 2.

    Raises:
        ValueError: an argument is out of range, which is a programming error.
    """
    if not 0 <= position < length or length < 2 or not 16 <= len(seed) <= 64:
        raise ValueError("permuted_index needs 0 <= position < length and a seed of 16 to 64 bytes")
    low_bits, low_mask, first, second, third, fourth = _network(seed, length)
    value = position
    while True:
        high, low = value >> low_bits, value & low_mask
        high ^= first[low]
        low ^= second[high]
        high ^= third[low]
        low ^= fourth[high]
        value = high << low_bits | low
        if value < length:
            return value


class _Round(dict[int, int]):
    """The function of one round, memoised: for a list of the usual length it has 256 or 512 values."""

    __slots__ = ("_mask", "_number", "_seed")

    def __init__(self, seed: bytes, number: int, mask: int) -> None:
        self._seed = seed
        self._number = number
        self._mask = mask

    def __missing__(self, half: int) -> int:
        salt = bytes((self._number,))
        digest = hashlib.blake2b(half.to_bytes(8, "big"), digest_size=8, key=self._seed, salt=salt).digest()
        value = self[half] = int.from_bytes(digest, "big") & self._mask
        return value


@lru_cache(maxsize=16)  # lists, each with up to some 1,500 memoised values
def _network(seed: bytes, length: int) -> tuple[int, int, _Round, _Round, _Round, _Round]:
    """Return the number of bits in the lower half, their mask, and the rounds, of which the first changes the upper."""
    width = (length - 1).bit_length()
    low_bits = width // 2
    low_mask, high_mask = (1 << low_bits) - 1, (1 << (width - low_bits)) - 1
    high = [_Round(seed, number, high_mask) for number in (0, 2)]
    low = [_Round(seed, number, low_mask) for number in (1, 3)]
    return low_bits, low_mask, high[0], low[0], high[1], low[1]


# --- documents ---


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEntry:
    """A parsed ``BitstringStatusListEntry`` (2.1).

    Attributes:
        purpose: ``revocation``, ``suspension``, or another purpose, which does not affect validity.
        size: bits in an entry.
        messages: the meaning of each value (``statusMessage``), if given.
    """

    purpose: str
    index: int
    list_url: str
    size: int = 1
    messages: Mapping[int, str] = field(default_factory=dict)


def entry(*, list_url: str, index: int, purpose: StatusPurpose, reference: str | None = None) -> JsonObject:
    """Return the ``credentialStatus`` of a credential whose bit is `index` in the list at `list_url`.

    Args:
        reference: the URL of more information about the status (``statusReference``).
    """
    members: dict[str, JsonValue] = {
        "id": f"{list_url}#{index}",
        "type": ENTRY_TYPE,
        "statusPurpose": str(purpose),  # five times as fast as `.value`
        "statusListIndex": str(index),
        "statusListCredential": list_url,
    }
    if reference is not None:
        members["statusReference"] = reference
    return members


def parse_entry(entry: JsonObject) -> StatusEntry:
    """Parse a foreign ``BitstringStatusListEntry``.

    Raises:
        InvalidStatusEntry: a member is missing or has the wrong form.
    """
    if entry.get("type") != ENTRY_TYPE:
        raise InvalidStatusEntry("This credential status is not a BitstringStatusListEntry.")
    purpose, index = entry.get("statusPurpose"), entry.get("statusListIndex")
    list_url, size = entry.get("statusListCredential"), entry.get("statusSize", 1)
    if not isinstance(purpose, str) or not purpose:
        raise InvalidStatusEntry("`statusPurpose` must be a text.")
    if not (isinstance(index, str) and index.isascii() and index.isdigit() and len(index) <= _MAX_INDEX_DIGITS):
        raise InvalidStatusEntry("`statusListIndex` must be a whole number written as a text.")
    if not isinstance(list_url, str) or not is_absolute(list_url):
        raise InvalidStatusEntry("`statusListCredential` must be a URL.")
    if entry.get("id") == list_url:
        raise InvalidStatusEntry("`id` must not be the URL of the status list.")
    references = entry.get("statusReference", ())
    if not all(
        isinstance(each, str) and is_absolute(each)
        for each in (references if isinstance(references, list | tuple) else (references,))
    ):
        raise InvalidStatusEntry("`statusReference` must be a URL, or an array of them.")
    if type(size) is not int or not 1 <= size <= 32:
        raise InvalidStatusEntry("`statusSize` must be a whole number of bits, 1 to 32.")
    messages = _messages(entry.get("statusMessage"), size)
    return StatusEntry(purpose=purpose, index=int(index), list_url=list_url, size=size, messages=messages)


def _messages(value: JsonValue, size: int) -> Mapping[int, str]:
    """Return the messages by status value. An entry of several bits must have one for every value."""
    if value is None and size == 1:
        return {}
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 1 << size:
        raise InvalidStatusEntry("`statusMessage` must be an array with an object for each possible value.")
    messages: dict[int, str] = {}
    for item in value:
        status = item.get("status") if isinstance(item, Mapping) else None
        message = item.get("message") if isinstance(item, Mapping) else None
        if not (isinstance(status, str) and _HEXADECIMAL(status)) or not isinstance(message, str):
            raise InvalidStatusEntry(
                "`statusMessage` must have a `status`, such as 0x1, and a `message` in each object."
            )
        messages[int(status, 16)] = message
    return messages


def list_credential(
    *,
    list_url: str,
    issuer: str | JsonObject,
    purpose: StatusPurpose,
    encoded_list: str,
    valid_from: datetime,
    valid_until: datetime | None = None,
    ttl: timedelta | None = None,
) -> JsonObject:
    """Return the unsigned ``BitstringStatusListCredential`` (2.2).

    Args:
        list_url: where it will be served; its id, and the entries' ``statusListCredential``.
        issuer: an id, or an object with an id.
        encoded_list: from `encode`.
        ttl: how long a verifier may cache the list; written in milliseconds.
    """
    subject: dict[str, JsonValue] = {
        "id": f"{list_url}#list",
        "type": LIST_TYPE,
        "statusPurpose": str(purpose),  # five times as fast as `.value`
        "encodedList": encoded_list,
    }
    if ttl is not None:
        subject["ttl"] = ttl // timedelta(milliseconds=1)
    document: dict[str, JsonValue] = {
        "@context": [CONTEXT],
        "id": list_url,
        "type": ["VerifiableCredential", CREDENTIAL_TYPE],
        "issuer": issuer,
        "validFrom": format_timestamp(valid_from),
        "credentialSubject": subject,
    }
    if valid_until is not None:
        document["validUntil"] = format_timestamp(valid_until)
    return document
