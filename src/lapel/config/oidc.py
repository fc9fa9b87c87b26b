"""The settings of access tokens: the trusted identity provider, and how to read its tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationInfo, field_validator

from lapel.config.rules import DefaultInWords, is_host, is_loopback_host

__all__ = ["OidcSettings", "provider_url"]

_ROLES = ("owner", "admin", "issuer", "viewer")
# A name, a URL as a name, or a JSON Pointer (RFC 6901) without an empty part.
_CLAIM = re.compile(r"[\w:-]+|[a-z]+://[^\s,;]+|(?:/(?:[^~/\s]|~[01])+)+")


def _parts(value: str) -> SplitResult:
    """Split a URL of the provider. Raises ValueError if it is not valid."""
    try:
        parts = urlsplit(value)
        # The standards allow no underscores in a host's name, but some have them.
        is_url = parts.port != 0 and is_host((parts.hostname or "").replace("_", ""))
    except ValueError:
        is_url = False
    if not is_url or re.search(r"[\x00-\x20\x7f]", value) or "#" in value or "@" in parts.netloc:
        raise ValueError("must be a URL such as https://id.example.org/realms/school")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_host(parts.hostname or "")):
        raise ValueError("must start with https:// (plain http is for this machine itself, such as 127.0.0.1)")
    return parts


def _provider_name(value: str) -> str:
    """Check the issuer. Its spelling is not normalised, because tokens must contain exactly the same."""
    _parts(value)
    if "?" in value:
        raise ValueError("must be a URL without a query (?), such as https://id.example.org/realms/school")
    return value


def _provider_url(value: str) -> str:
    _parts(value)
    return value


def _audience(value: str) -> str:
    """Check an audience."""
    if not value.isprintable() or re.search(r"\s", value):
        raise ValueError("must be one word")
    return value


def _claim(value: str) -> str:
    """Check a claim: a name, or a JSON Pointer. A path in another notation, such as ``a.b``, is refused."""
    if not _CLAIM.fullmatch(value):
        raise ValueError(
            "must be the name of a claim, such as roles or https://example.org/roles, or the path to one inside others,"
            " such as /realm_access/roles (a name with a dot or a slash in it: /my.roles, /my~1roles)"
        )
    return value


def _roles(value: object) -> object:
    """Parse ``badge-admins=admin, teachers=issuer`` into a mapping."""
    if not isinstance(value, str):
        return value
    roles: dict[str, str] = {}
    for entry in value.split(","):
        claim_value, equals, role = (part.strip() for part in entry.rpartition("="))
        if not equals or not claim_value or role not in _ROLES or claim_value in roles or ";" in claim_value:
            raise ValueError(f"must be pairs such as teachers=issuer, separated by commas; roles: {', '.join(_ROLES)}")
        roles[claim_value] = role
    return roles


class OidcSettings(BaseModel, frozen=True):
    """The settings of access tokens. They have an effect only if `oidc_issuer` is set."""

    oidc_issuer: Annotated[str, AfterValidator(_provider_name)] | None = Field(
        default=None,
        validation_alias="LAPEL_OIDC_ISSUER",
        description="The OpenID provider whose access tokens are accepted, besides API keys; exactly the `iss` of its"
        " tokens: [access.md](access.md).",
    )
    oidc_audience: Annotated[str, AfterValidator(_audience)] | None = Field(
        default=None,
        validate_default=True,
        validation_alias="LAPEL_OIDC_AUDIENCE",
        description="What a token's `aud` must contain: this server's name at the provider. Needed with the issuer.",
    )
    oidc_roles: Annotated[dict[str, str], BeforeValidator(_roles), DefaultInWords("-")] = Field(
        default_factory=dict,
        validate_default=True,
        validation_alias="LAPEL_OIDC_ROLES",
        description="Which values of the role claim give which role, such as `badge-admins=admin, teachers=issuer`."
        " Needed with the issuer.",
    )
    oidc_role_claim: Annotated[str, AfterValidator(_claim)] = Field(
        default="roles",
        validation_alias="LAPEL_OIDC_ROLE_CLAIM",
        description="The claim that gives roles: a name, or a JSON Pointer such as `/realm_access/roles`.",
    )
    oidc_organisation_claim: Annotated[str, AfterValidator(_claim)] | None = Field(
        default=None,
        validation_alias="LAPEL_OIDC_ORGANISATION_CLAIM",
        description="The claim that holds the organisation's id, written like the role claim. Without it every token"
        " is for the default organisation.",
    )
    oidc_jwks_url: Annotated[str, AfterValidator(_provider_url)] | None = Field(
        default=None,
        validate_default=True,
        validation_alias="LAPEL_OIDC_JWKS_URL",
        description="Where the provider's public keys are, if not where its `/.well-known/openid-configuration` says.",
    )
    oidc_clock_tolerance_seconds: int = Field(
        default=60,
        ge=0,
        le=600,
        validation_alias="LAPEL_OIDC_CLOCK_TOLERANCE_SECONDS",
        description="How far the provider's clock and this server's may differ, in seconds.",
    )

    @field_validator("oidc_audience", "oidc_roles")
    @classmethod
    def _needed_with_the_issuer(cls, value: object, info: ValidationInfo) -> object:
        if not value and info.data.get("oidc_issuer") is not None:
            raise ValueError("must be set with LAPEL_OIDC_ISSUER")
        return value

    @field_validator("oidc_jwks_url")
    @classmethod
    def _fetchable_provider(cls, value: str | None, info: ValidationInfo) -> str | None:
        url = provider_url({**info.data, "oidc_jwks_url": value})
        parts = None if url is None else urlsplit(url)
        if parts is not None and parts.port not in (None, 443) and not is_loopback_host(parts.hostname or ""):
            which = "must use" if value is not None else "must be set if LAPEL_OIDC_ISSUER names another port, and use"
            raise ValueError(f"{which} port 443: nothing is fetched from other ports")
        return value


def provider_url(settings: Mapping[str, object]) -> str | None:
    """Return the URL at which the provider is asked for its keys; None if no provider is configured.

    Args:
        settings: those that have been validated so far.
    """
    url = settings.get("oidc_jwks_url") or settings.get("oidc_issuer")
    return url if isinstance(url, str) and settings.get("oidc_issuer") is not None else None
