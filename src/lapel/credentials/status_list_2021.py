"""Status List 2021 (W3C Community Group, Final Report of 2 January 2023), which became Bitstring Status List 1.0.

Bits, lengths and members are the same. Types have other names, and a list is plain base64 without a multibase letter.
"""

from __future__ import annotations

from typing import Final

from lapel.credentials import bitstring_status_list
from lapel.credentials.bitstring_status_list import InvalidStatusEntry, StatusEntry
from lapel.domain.json import JsonObject

__all__ = ["CREDENTIAL_TYPE", "ENTRY_TYPE", "LIST_TYPE", "decode", "parse_entry"]

ENTRY_TYPE: Final = "StatusList2021Entry"
CREDENTIAL_TYPE: Final = "StatusList2021Credential"
LIST_TYPE: Final = "StatusList2021"

_TO_URL_SAFE: Final = str.maketrans("+/", "-_")


def decode(encoded: str, *, size: int = 1) -> bytes:
    """The bitstring of an ``encodedList``.

    The report says base64 (RFC 4648), and its authors' own software writes the alphabet for URLs without padding, so
    both are read.

    Raises:
        TooLarge, InvalidStatusList: as `bitstring_status_list.decode`.
    """
    unpadded = encoded.removesuffix("=").removesuffix("=")
    return bitstring_status_list.decode("u" + unpadded.translate(_TO_URL_SAFE), size=size)


def parse_entry(entry: JsonObject) -> StatusEntry:
    """Read a ``StatusList2021Entry`` (4.1), of one bit always.

    Raises:
        InvalidStatusEntry: a member is missing or has the wrong form.
    """
    if entry.get("type") != ENTRY_TYPE:
        raise InvalidStatusEntry("This credential status is not a StatusList2021Entry.")
    members = {name: entry[name] for name in entry if name not in ("statusSize", "statusMessage")}
    return bitstring_status_list.parse_entry({**members, "type": bitstring_status_list.ENTRY_TYPE})
