"""Status List 2021 (W3C Community Group, Final Report of 2 January 2023), the predecessor of Bitstring Status List 1.0.

It differs in the names of types and in the encoding of lists, which is base64 without a multibase prefix.
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
    """Return the bitstring of an ``encodedList``.

    Both base64, which the report specifies (RFC 4648), and unpadded base64url, which its authors' own software writes,
    are accepted.

    Raises:
        TooLarge, InvalidStatusList: as `bitstring_status_list.decode`.
    """
    unpadded = encoded.removesuffix("=").removesuffix("=")
    return bitstring_status_list.decode("u" + unpadded.translate(_TO_URL_SAFE), size=size)


def parse_entry(entry: JsonObject) -> StatusEntry:
    """Parse a ``StatusList2021Entry`` (4.1), which always has one bit.

    Raises:
        InvalidStatusEntry: a member is missing or has the wrong form.
    """
    if entry.get("type") != ENTRY_TYPE:
        raise InvalidStatusEntry("This credential status is not a StatusList2021Entry.")
    members = {name: entry[name] for name in entry if name not in ("statusSize", "statusMessage")}
    return bitstring_status_list.parse_entry({**members, "type": bitstring_status_list.ENTRY_TYPE})
