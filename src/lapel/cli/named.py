"""What a command is given to name one thing: its id, or the address that the API gives as its id."""

from __future__ import annotations

from uuid import UUID

from lapel.domain.identifiers import parse_id

__all__ = ["named_id"]


def named_id(text: str) -> UUID:
    """The id: bare, as a URN, or at the end of an address. Raises InvalidInput.

    Of which server is not asked: under the id of another's thing there is nothing here.
    """
    return parse_id(text.rpartition("/")[2] if "://" in text else text)
