"""Settings: read once from the environment at the start, checked, and frozen.

They are not read from a file: whatever starts the server (a shell, systemd, a container) sets the environment. Every
setting is described here; `lapel.config.reference` generates ``docs/settings.md`` from these descriptions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from lapel.config.messages import explain
from lapel.config.oidc import OidcSettings, provider_url
from lapel.config.rules import (
    DefaultInWords,
    check_admin_key,
    check_database_file,
    check_directory,
    check_file,
    check_host,
    check_networks,
    check_public_url,
    check_socket,
    is_loopback_host,
    lower_case,
    processors,
)
from lapel.errors import LapelError

__all__ = ["Settings", "SettingsError", "load_settings"]


class SettingsError(LapelError):
    """A setting is wrong."""

    code: ClassVar[str] = "bad_settings"
    hint = "Settings are environment variables; docs/settings.md describes them all."


class Settings(OidcSettings, frozen=True):
    """All settings, checked. Secrets are shown as asterisks."""

    model_config = ConfigDict(extra="forbid", validate_by_name=True, validate_by_alias=True, hide_input_in_errors=True)

    database_url: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="Address of the PostgreSQL database, `postgresql://user:password@host/name`; several hosts"
        " and `target_session_attrs` are understood. Holds a password and is never shown.",
    )
    database_read_url: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_READ_URL",
        description="Address of a standby of that database. Reads go there wherever its answer is as good as the"
        " primary's: [high-availability.md](high-availability.md). Never shown either.",
    )
    db_type: Annotated[str, DefaultInWords("`postgresql` if `DATABASE_URL` is set, else `sqlite`")] = Field(
        default_factory=lambda known: "postgresql" if known.get("database_url") else "sqlite",
        validate_default=True,
        validation_alias="DB_TYPE",
        description="The database module: `sqlite`, `postgresql`, or one from another package.",
    )
    sqlite_file: Annotated[str, AfterValidator(check_database_file)] = Field(
        default="./data/lapel.sqlite",
        validation_alias="SQLITE_FILE",
        description="The database file of SQLite, created if it is missing. `:memory:` keeps nothing.",
    )
    db_pool_min: int = Field(
        default=1, ge=0, le=1000, validation_alias="DB_POOL_MIN", description="PostgreSQL connections kept open."
    )
    db_pool_max: int = Field(
        default=10,
        ge=1,
        le=1000,
        validate_default=True,
        validation_alias="DB_POOL_MAX",
        description="PostgreSQL connections at most, for each worker.",
    )
    db_prepared_statements: bool = Field(
        default=True,
        validation_alias="DB_PREPARED_STATEMENTS",
        description="`false` behind a pooler that gives each transaction another connection to PostgreSQL"
        " ([scaling.md](scaling.md)); this is slower.",
    )
    db_connect_timeout_ms: int = Field(
        default=10_000,
        ge=100,
        le=600_000,
        validation_alias="DB_CONNECT_TIMEOUT_MS",
        description="How long to wait for a connection to the database, in milliseconds.",
    )
    db_statement_timeout_ms: int = Field(
        default=30_000,
        ge=100,
        le=3_600_000,
        validation_alias="DB_STATEMENT_TIMEOUT_MS",
        description="How long one statement may run, in milliseconds. PostgreSQL only.",
    )
    db_lock_timeout_ms: int = Field(
        default=10_000,
        ge=100,
        le=3_600_000,
        validation_alias="DB_LOCK_TIMEOUT_MS",
        description="How long a statement may wait for a lock, in milliseconds.",
    )
    db_idle_in_transaction_timeout_ms: int = Field(
        default=30_000,
        ge=100,
        le=3_600_000,
        validation_alias="DB_IDLE_IN_TRANSACTION_TIMEOUT_MS",
        description="How long a transaction may be idle, in milliseconds.",
    )
    db_slow_query_ms: int = Field(
        default=500,
        ge=0,
        le=3_600_000,
        validation_alias="DB_SLOW_QUERY_MS",
        description="Log database operations that take longer than this, in milliseconds, without their values; `0`"
        " logs none.",
    )
    host: Annotated[str, AfterValidator(check_host)] = Field(
        default="127.0.0.1",
        validation_alias="LAPEL_HOST",
        description="The address to listen on; `0.0.0.0` for all of them, as in a container.",
    )
    port: int = Field(default=8000, ge=1, le=65535, validation_alias="LAPEL_PORT", description="The port to listen on.")
    public_url: Annotated[str, AfterValidator(check_public_url), DefaultInWords("`http://127.0.0.1:` and the port")] = (
        Field(
            default_factory=lambda known: f"http://127.0.0.1:{known.get('port', 8000)}",
            validation_alias="LAPEL_PUBLIC_URL",
            description="The address at which the world reaches this server. Every signed id begins with it, so"
            " choose it once. It must be `https://`, except on this machine itself.",
        )
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        validation_alias="LAPEL_WORKERS",
        description="Server processes on one address. More than one needs a database for several processes, such as"
        " PostgreSQL; about one for each processor is right.",
    )
    drain_seconds: int = Field(
        default=20,
        ge=1,
        le=3600,
        validation_alias="LAPEL_DRAIN_SECONDS",
        description="How long a server that is shutting down waits for requests to be answered, in seconds.",
    )
    signing_process: Annotated[
        bool, DefaultInWords("`true` where there are at least two processors for each of `LAPEL_WORKERS`")
    ] = Field(
        default_factory=lambda known: processors() >= 2 * known.get("workers", 1),
        validation_alias="LAPEL_SIGNING_PROCESS",
        description="Sign in a second process beside each server process when several credentials are issued at once.",
    )
    max_body_bytes: int = Field(
        default=2 * 1024 * 1024,
        ge=1024,
        le=1024**3,
        validation_alias="LAPEL_MAX_BODY_BYTES",
        description="The largest request that is accepted, in bytes; for a batch it is 8 MiB.",
    )
    max_connections: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        validation_alias="LAPEL_MAX_CONNECTIONS",
        description="Client connections at the same time. For one more, an idle one is closed.",
    )
    client_timeout_ms: int = Field(
        default=60_000,
        ge=100,
        le=3_600_000,
        validation_alias="LAPEL_CLIENT_TIMEOUT_MS",
        description="How long a client may take to send a request, and how long it may leave the answer unread, in"
        " milliseconds. For the header fields it has at most 15 s.",
    )
    request_timeout_ms: int = Field(
        default=120_000,
        ge=100,
        le=3_600_000,
        validation_alias="LAPEL_REQUEST_TIMEOUT_MS",
        description="How long the work on one request may take, in milliseconds; then the answer is 503.",
    )
    rate_limit: int = Field(
        default=60,
        ge=0,
        le=1_000_000,
        validation_alias="LAPEL_RATE_LIMIT",
        description="Public verification requests per minute from one address; `0` turns off all rate limits.",
    )
    rate_limit_requests: int = Field(
        default=300_000,
        ge=0,
        le=100_000_000,
        validation_alias="LAPEL_RATE_LIMIT_REQUESTS",
        description="Requests of any kind per minute from one address; `0` for no limit.",
    )
    rate_limit_changes: int = Field(
        default=120_000,
        ge=0,
        le=100_000_000,
        validation_alias="LAPEL_RATE_LIMIT_CHANGES",
        description="Writing requests per minute with one API key; `0` for no limit.",
    )
    rate_limit_failures: int = Field(
        default=30,
        ge=0,
        le=1_000_000,
        validation_alias="LAPEL_RATE_LIMIT_FAILURES",
        description="Wrong API keys per minute from one address; `0` for no limit.",
    )
    trusted_proxies: Annotated[str, AfterValidator(check_networks), DefaultInWords("none")] = Field(
        default="",
        validation_alias="LAPEL_TRUSTED_PROXIES",
        description="The addresses or networks of your reverse proxies, separated by commas, such as"
        " `127.0.0.1, 10.0.0.0/8`. `Forwarded`, `X-Forwarded-For` and `X-Request-ID` are believed"
        " only from these.",
    )
    admin_key: Annotated[SecretStr, AfterValidator(check_admin_key)] | None = Field(
        default=None,
        validation_alias="LAPEL_ADMIN_KEY",
        description="An admin's API key of the default organisation, at least 32 characters. Without it the"
        " first start creates an owner's key and prints it once.",
    )
    metrics_key: Annotated[SecretStr, AfterValidator(check_admin_key)] | None = Field(
        default=None,
        validation_alias="LAPEL_METRICS_KEY",
        description="The bearer token that `/metrics` requires, at least 32 characters. Without it `/metrics` is open"
        " to anybody.",
    )
    master_key: SecretStr | None = Field(
        default=None,
        min_length=1,
        validation_alias="LAPEL_MASTER_KEY",
        description="The key that private signing keys are encrypted under: 32 bytes in hexadecimal or base64."
        " PostgreSQL needs it, or the file below; for SQLite one is created in a file beside the database.",
    )
    master_key_file: Annotated[Path, AfterValidator(check_file)] | None = Field(
        default=None,
        validation_alias="LAPEL_MASTER_KEY_FILE",
        description="A file that holds the master key, instead of `LAPEL_MASTER_KEY`.",
    )
    signer_socket: Annotated[Path, AfterValidator(check_socket)] | None = Field(
        default=None,
        validation_alias="LAPEL_SIGNER_SOCKET",
        description="The Unix socket of an outside signer, which then creates and holds every new signing key.",
    )
    signer_timeout_ms: int = Field(
        default=5_000,
        ge=50,
        le=60_000,
        validation_alias="LAPEL_SIGNER_TIMEOUT_MS",
        description="How long the outside signer may take for one signature, in milliseconds; then the answer is 503.",
    )
    contexts_dir: Annotated[Path, AfterValidator(check_directory)] | None = Field(
        default=None,
        validation_alias="LAPEL_CONTEXTS_DIR",
        description="A folder of further JSON-LD contexts. Contexts are never fetched from the network.",
    )
    fetch_allow_loopback: bool = Field(
        default=False,
        validate_default=True,
        validation_alias="LAPEL_FETCH_ALLOW_LOOPBACK",
        description="For development: documents may also be fetched from this machine itself, over plain http.",
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(lower_case)] = Field(
        default="info", validation_alias="LAPEL_LOG_LEVEL", description="The least level that is logged."
    )
    log_format: Annotated[Literal["console", "json"], BeforeValidator(lower_case)] = Field(
        default="console",
        validation_alias="LAPEL_LOG_FORMAT",
        description="Log lines for people or, one JSON object each, for machines.",
    )
    access_log: bool = Field(
        default=False,
        validation_alias="LAPEL_ACCESS_LOG",
        description="Log a line for each request: method, route, status, milliseconds, request id, and whose API key.",
    )

    @field_validator("db_type")
    @classmethod
    def _known_database(cls, value: str, info: ValidationInfo) -> str:
        name = value.lower()
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", name):
            raise ValueError("must be the name of a database module, such as sqlite or postgresql")
        if name == "postgresql" and "database_url" in info.data:
            url = info.data["database_url"]
            if url is None:
                raise ValueError("needs DATABASE_URL, such as postgresql://user:password@host/name")
            for variable, other in (("DATABASE_URL", url), ("DATABASE_READ_URL", info.data.get("database_read_url"))):
                if other and not other.get_secret_value().startswith(("postgresql://", "postgres://")):
                    raise PydanticCustomError("wrong_database_url", "another database's", {"variable": variable})
        return name

    @field_validator("database_url", "database_read_url")
    @classmethod
    def _database_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(r"[a-z][a-z0-9+.-]*://\S+\Z", value.get_secret_value()):
            raise ValueError("must be an address such as postgresql://user:password@host/name")
        return value

    @field_validator("db_pool_max")
    @classmethod
    def _pool_limits(cls, value: int, info: ValidationInfo) -> int:
        if value < (minimum := info.data.get("db_pool_min", 0)):
            raise ValueError(f"must not be less than DB_POOL_MIN, which is {minimum}; it is {value} here")
        return value

    @field_validator("master_key_file")
    @classmethod
    def _one_master_key(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("master_key") is not None:
            raise ValueError("cannot be set together with LAPEL_MASTER_KEY")
        return value

    @field_validator("fetch_allow_loopback")
    @classmethod
    def _provider_on_this_machine(cls, value: bool, info: ValidationInfo) -> bool:
        url = provider_url(info.data)
        if url is not None and not value and is_loopback_host(urlsplit(url).hostname or ""):
            raise ValueError("must be true if the identity provider (LAPEL_OIDC_ISSUER) is on this machine itself")
        return value

    @property
    def public_url_is_default(self) -> bool:
        """Whether LAPEL_PUBLIC_URL is not set: what is issued can then be verified on this machine only."""
        return "public_url" not in self.model_fields_set

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for the operator at the start, a sentence each."""
        warnings = []
        if self.public_url_is_default:
            warnings.append(
                f"LAPEL_PUBLIC_URL is not set: credentials are issued under {self.public_url}"
                " and cannot be verified from elsewhere."
            )
        elif self.public_url.startswith("http://"):
            warnings.append("LAPEL_PUBLIC_URL is plain http: this is only for trying things out.")
        if self.fetch_allow_loopback:
            warnings.append(
                "LAPEL_FETCH_ALLOW_LOOPBACK is on: strangers can make this server send requests to its own machine."
            )
        for name, url in (("DATABASE_URL", self.database_url), ("DATABASE_READ_URL", self.database_read_url)):
            if url is not None and self.db_type == "sqlite":
                warnings.append(f"{name} is set, but DB_TYPE chooses SQLite: the URL is not used.")
        if self.oidc_issuer is None and any(name.startswith("oidc_") for name in self.model_fields_set):
            warnings.append("LAPEL_OIDC_ISSUER is not set: without it the other LAPEL_OIDC settings have no effect.")
        return tuple(warnings)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environ`; an empty variable counts as not set.

    Args:
        environ: the process's environment by default.

    Raises:
        SettingsError: names every setting that is wrong, and says how it should be.
    """
    variables = os.environ if environ is None else environ
    values = {name: variables[name].strip() for name in _FIELDS if variables.get(name, "").strip()}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        # If a setting is wrong, defaults that depend on it cannot be computed, which is no error of its own.
        errors = [each for each in error.errors() if each["type"] != "default_factory_not_called"]
        problems = [explain(each, values, Settings.model_fields) for each in errors]
    raise SettingsError(" ".join(f"{problem.detail}." for problem in problems), errors=problems)


_FIELDS = {str(field.validation_alias): field for field in Settings.model_fields.values()}
