"""Operations that verify badges."""

from __future__ import annotations

from lapel.client.operation import Operation
from lapel.client.requests import Request, as_json, json_body
from lapel.services.answers import VerificationReport
from lapel.services.requests import VerificationByAddress

__all__ = ["VerificationOperations"]


class VerificationOperations:
    """``/v3/verify``, which needs no key."""

    @Operation
    def verify(self, badge: bytes | str, *, recipient: str | None = None) -> Request[VerificationReport]:
        """Verify a badge: JSON, a compact JWS, or a PNG or SVG with one in it.

        Args:
            recipient: the identity of the person who should have earned it.
        """
        content = badge.encode() if isinstance(badge, str) else badge
        headers, query = {"content-type": "application/octet-stream"}, {"recipient": recipient}
        read = as_json(VerificationReport)
        return Request("POST", "/v3/verify", read, query=query, headers=headers, content=content, repeatable=True)

    @Operation
    def verify_url(self, url: str, *, recipient: str | None = None) -> Request[VerificationReport]:
        """Verify the badge that is published at a URL."""
        body = json_body(VerificationByAddress(url=url, recipient=recipient))
        headers, read = {"content-type": "application/json"}, as_json(VerificationReport)
        return Request("POST", "/v3/verify", read, headers=headers, content=body, repeatable=True)
