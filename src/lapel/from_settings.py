"""Parts that depend on the settings alone, for `lapel.bootstrap` and `lapel.parts`."""

from __future__ import annotations

from datetime import timedelta

from lapel.config import Settings
from lapel.credentials.signing.outside_signer import OutsideSigner
from lapel.database.interface import Database, DatabaseSettings
from lapel.domain.access import Role
from lapel.domain.clock import Clock
from lapel.domain.ports import Fetcher, Store
from lapel.http.limits.rate_limit import RateLimits
from lapel.services.access.access_tokens import AccessTokens, TokenRules
from lapel.services.keys.master_key import StoredMasterKey, find_master_key

__all__ = ["access_tokens_of", "database_settings_of", "master_key_of", "rate_limits_of", "signer_of"]


def access_tokens_of(settings: Settings, fetcher: Fetcher, store: Store, clock: Clock) -> AccessTokens | None:
    """Return the check of the identity provider's access tokens, if a provider is configured."""
    if settings.oidc_issuer is None or settings.oidc_audience is None:
        return None
    rules = TokenRules(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        jwks_url=settings.oidc_jwks_url,
        role_claim=settings.oidc_role_claim,
        roles={value: Role(role) for value, role in settings.oidc_roles.items()},
        organisation_claim=settings.oidc_organisation_claim,
        tolerance=timedelta(seconds=settings.oidc_clock_tolerance_seconds),
    )
    return AccessTokens(rules=rules, fetcher=fetcher, store=store, clock=clock)


def database_settings_of(settings: Settings, *, serves: bool, make: bool, patience: float | None) -> DatabaseSettings:
    """Return the settings for a database module; see `lapel.bootstrap.open_database` for the arguments."""
    connect_seconds = settings.db_connect_timeout_ms / 1000
    return DatabaseSettings(
        sqlite_file=settings.sqlite_file,
        url=settings.database_url.get_secret_value() if settings.database_url else "",
        read_url=settings.database_read_url.get_secret_value() if settings.database_read_url else "",
        serves=serves,
        make=make,
        pool_min=settings.db_pool_min,
        pool_max=settings.db_pool_max,
        prepared_statements=settings.db_prepared_statements,
        connect_seconds=connect_seconds if patience is None else min(patience, connect_seconds),
        statement_seconds=settings.db_statement_timeout_ms / 1000,
        lock_seconds=settings.db_lock_timeout_ms / 1000,
        idle_in_transaction_seconds=settings.db_idle_in_transaction_timeout_ms / 1000,
        slow_query_seconds=settings.db_slow_query_ms / 1000,
    )


def master_key_of(settings: Settings, database: Database) -> StoredMasterKey:
    """Find the master key: in the settings, or in the file beside an embedded database.

    Raises:
        MissingMasterKey: no master key is configured, and this database needs a configured one.
    """
    return find_master_key(
        text=settings.master_key.get_secret_value() if settings.master_key else None,
        file=settings.master_key_file,
        is_shared=database.capabilities.several_processes,
        own_file=database.own_file,
    )


def rate_limits_of(settings: Settings) -> RateLimits:
    """Return the rate limits; none of them is on if LAPEL_RATE_LIMIT is 0."""
    if not settings.rate_limit:
        return RateLimits()
    return RateLimits(
        requests=settings.rate_limit_requests,
        verifications=settings.rate_limit,
        failures=settings.rate_limit_failures,
        changes=settings.rate_limit_changes,
    )


def signer_of(settings: Settings) -> OutsideSigner | None:
    """Return the outside signer, not connected yet, if one is configured."""
    if settings.signer_socket is None:
        return None
    return OutsideSigner(settings.signer_socket, answer_seconds=settings.signer_timeout_ms / 1000)
