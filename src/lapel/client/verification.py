"""Is this badge good?"""

from __future__ import annotations

from lapel.client.asking import Ask, json_body, shape
from lapel.client.operation import Operation
from lapel.services.answers import VerificationReport
from lapel.services.requests import VerificationByAddress

__all__ = ["VerificationOperations"]


class VerificationOperations:
    """``/v3/verify``, which needs no key."""

    @Operation
    def verify(self, badge: bytes | str, *, recipient: str | None = None) -> Ask[VerificationReport]:
        """Verify a badge: JSON, a compact JWS, or a PNG or SVG with one in it.

        Args:
            recipient: whom you expect to have earned it.
        """
        content = badge.encode() if isinstance(badge, str) else badge
        headers, query = {"content-type": "application/octet-stream"}, {"recipient": recipient}
        read = shape(VerificationReport)
        return Ask("POST", "/v3/verify", read, query=query, headers=headers, content=content, repeatable=True)

    @Operation
    def verify_url(self, url: str, *, recipient: str | None = None) -> Ask[VerificationReport]:
        """Verify what is published at an address."""
        body = json_body(VerificationByAddress(url=url, recipient=recipient))
        headers, read = {"content-type": "application/json"}, shape(VerificationReport)
        return Ask("POST", "/v3/verify", read, headers=headers, content=body, repeatable=True)
