"""The settings of access tokens: which identity provider is believed, and what its tokens mean here."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationInfo, field_validator

from lapel.config.rules import DefaultInWords, is_loopback_host

__all__ = ["OidcSettings"]

_ROLES = ("owner", "admin", "issuer", "viewer")


def _provider_url(value: str) -> str:
    """An address of the provider, as it is written: tokens name it letter by letter."""
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or re.search(r"[\x00-\x20\x7f]", value) or "?" in value or "#" in value or "@" in parts.netloc:
        raise ValueError("must be a URL such as https://id.example.org/realms/school")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_host(host)):
        raise ValueError("must start with https:// (plain http is for this machine itself, such as 127.0.0.1)")
    return value


def _roles(value: object) -> object:
    """``badge-admins=admin, teachers=issuer`` as a mapping."""
    if not isinstance(value, str):
        return value
    found: dict[str, str] = {}
    for entry in value.split(","):
        claimed, equals, role = (part.strip() for part in entry.rpartition("="))
        if not equals or not claimed or role not in _ROLES or claimed in found:
            raise ValueError(f"must be pairs such as teachers=issuer, with commas between; roles: {', '.join(_ROLES)}")
        found[claimed] = role
    return found


class OidcSettings(BaseModel, frozen=True):
    """All of these count only with `oidc_issuer`."""

    oidc_issuer: Annotated[str, AfterValidator(_provider_url)] | None = Field(
        default=None,
        validation_alias="LAPEL_OIDC_ISSUER",
        description="The OpenID provider whose access tokens are believed, beside API keys, exactly as its tokens say"
        " `iss`: [access.md](access.md).",
    )
    oidc_audience: str | None = Field(
        default=None,
        validate_default=True,
        validation_alias="LAPEL_OIDC_AUDIENCE",
        description="What `aud` of a token must hold: this server's name at the provider. Needed with the issuer.",
    )
    oidc_roles: Annotated[dict[str, str], BeforeValidator(_roles), DefaultInWords("-")] = Field(
        default_factory=dict,
        validate_default=True,
        validation_alias="LAPEL_OIDC_ROLES",
        description="Which role a value of the role claim gives, such as `badge-admins=admin, teachers=issuer`."
        " Needed with the issuer.",
    )
    oidc_role_claim: str = Field(
        default="roles",
        validation_alias="LAPEL_OIDC_ROLE_CLAIM",
        description="The claim that gives roles: a name, or a JSON Pointer such as `/realm_access/roles`.",
    )
    oidc_organisation_claim: str | None = Field(
        default=None,
        validation_alias="LAPEL_OIDC_ORGANISATION_CLAIM",
        description="The claim that holds the organisation's id, written like the role claim. Without it every token"
        " is for the default organisation.",
    )
    oidc_jwks_url: Annotated[str, AfterValidator(_provider_url)] | None = Field(
        default=None,
        validation_alias="LAPEL_OIDC_JWKS_URL",
        description="Where the provider's public keys are, if not where its `/.well-known/openid-configuration` says.",
    )
    oidc_clock_tolerance_seconds: int = Field(
        default=60,
        ge=0,
        le=600,
        validation_alias="LAPEL_OIDC_CLOCK_TOLERANCE_SECONDS",
        description="How far the provider's clock and this one may be apart, in seconds.",
    )

    @field_validator("oidc_audience", "oidc_roles")
    @classmethod
    def _needed_with_the_issuer(cls, value: object, info: ValidationInfo) -> object:
        if not value and info.data.get("oidc_issuer") is not None:
            raise ValueError("must be set with LAPEL_OIDC_ISSUER")
        return value
