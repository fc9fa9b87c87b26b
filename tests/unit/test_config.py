"""Settings: what they are without an environment, what is refused, and that the documentation is current."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lapel.bootstrap import build
from lapel.config import Settings, SettingsError, load_settings, misspelt_settings
from lapel.config.reference import SettingDescription, describe_settings, render_settings
from lapel.credentials.key_storage.master_key import InvalidMasterKey

DOCUMENTATION = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
SECRET = "0123456789abcdef0123456789abcdef"
DSN = "postgresql://lapel:hunter2@db.example.org/lapel"


def test_without_an_environment_it_runs_on_this_machine_with_sqlite() -> None:
    settings = load_settings({})
    assert (settings.db_type, settings.sqlite_file, settings.database_url) == ("sqlite", "./data/lapel.sqlite", None)
    assert (settings.host, settings.port, settings.public_url) == ("127.0.0.1", 8000, "http://127.0.0.1:8000")
    assert (settings.admin_key, settings.master_key, settings.master_key_file) == (None, None, None)
    assert (settings.db_pool_min, settings.db_pool_max, settings.workers) == (1, 10, 1)
    assert (settings.db_statement_timeout_ms, settings.db_lock_timeout_ms) == (30_000, 10_000)
    assert (settings.db_idle_in_transaction_timeout_ms, settings.db_connect_timeout_ms) == (30_000, 10_000)
    assert (settings.rate_limit, settings.max_body_bytes) == (60, 2_097_152)
    assert (settings.log_level, settings.log_format, settings.access_log) == ("info", "console", False)
    assert (settings.drain_seconds, settings.db_slow_query_ms, settings.metrics_key) == (20, 500, None)
    assert (settings.fetch_allow_loopback, settings.contexts_dir) == (False, None)


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAPEL_PORT", "9001")
    assert load_settings().port == 9001


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load_settings({"LAPEL_PORT": "", "DATABASE_URL": "  ", "LAPEL_ADMIN_KEY": ""}) == load_settings({})


def test_a_database_url_alone_chooses_postgresql() -> None:
    assert load_settings({"DATABASE_URL": DSN}).db_type == "postgresql"


def test_db_type_has_the_last_word() -> None:
    settings = load_settings({"DATABASE_URL": DSN, "DB_TYPE": "SQLite", "SQLITE_FILE": ":memory:"})
    assert (settings.db_type, settings.sqlite_file) == ("sqlite", ":memory:")
    assert "DATABASE_URL is set" in " ".join(settings.warnings)


def test_another_packages_database_module_can_be_chosen() -> None:
    assert load_settings({"DB_TYPE": "duckdb"}).db_type == "duckdb"


def test_the_default_public_url_follows_the_port_and_is_warned_of() -> None:
    settings = load_settings({"LAPEL_PORT": "9000"})
    assert settings.public_url == "http://127.0.0.1:9000"
    assert settings.public_url_is_default
    assert "LAPEL_PUBLIC_URL is not set" in settings.warnings[0]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://badges.example.org", "https://badges.example.org"),
        ("https://Badges.Example.ORG:443/", "https://badges.example.org"),
        ("https://badges.example.org:8443", "https://badges.example.org:8443"),
        ("https://example.org/Badges/", "https://example.org/Badges"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://lapel.localhost", "http://lapel.localhost"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:9000", "http://[::1]:9000"),
    ],
)
def test_a_public_url_is_kept_in_one_spelling(given: str, kept: str) -> None:
    settings = load_settings({"LAPEL_PUBLIC_URL": given})
    assert settings.public_url == kept
    assert not settings.public_url_is_default
    assert bool(settings.warnings) is given.startswith("http://")


@pytest.mark.parametrize(
    "url",
    [
        "http://badges.example.org",
        "http://10.0.0.1",
        "badges.example.org",
        "ftp://badges.example.org",
        "https://",
        "https://badges.example.org/?a=b",
        "https://badges.example.org?",
        "https://badges.example.org/#x",
        "https://user:pass@badges.example.org",
        "https://badges.example.org:99999",
        "https://bücher.example",
        "https://badges.example.org/a b",
        "https://badges.example.org/../x",
        "https://badges.example.org//x",
        "https://badges\n.example.org",
        "https://[::1",
        "https://badges..example.org",
        "https://10.0.0.256",
    ],
)
def test_another_public_url_stops_the_start(url: str) -> None:
    with pytest.raises(SettingsError, match="LAPEL_PUBLIC_URL must"):
        load_settings({"LAPEL_PUBLIC_URL": url})


@given(st.text())
def test_no_public_url_breaks_anything_or_is_kept_in_two_spellings(url: str) -> None:
    try:
        kept = load_settings({"LAPEL_PUBLIC_URL": url}).public_url
    except SettingsError:
        return
    assert load_settings({"LAPEL_PUBLIC_URL": kept}).public_url == kept


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LAPEL_PORT", "eighty", "LAPEL_PORT must be a whole number (it is “eighty”)."),
        ("LAPEL_PORT", "0", "LAPEL_PORT must be at least 1 (it is “0”)."),
        ("LAPEL_PORT", "65536", "LAPEL_PORT must be at most 65535 (it is “65536”)."),
        ("LAPEL_PORT", "8000.5", "LAPEL_PORT must be a whole number (it is “8000.5”)."),
        ("LAPEL_RATE_LIMIT", "-1", "LAPEL_RATE_LIMIT must be at least 0 (it is “-1”)."),
        ("LAPEL_FETCH_ALLOW_LOOPBACK", "maybe", "LAPEL_FETCH_ALLOW_LOOPBACK must be true or false (it is “maybe”)."),
        ("LAPEL_LOG_FORMAT", "xml", "LAPEL_LOG_FORMAT must be console or json (it is “xml”)."),
        ("DB_TYPE", "no such/type", "DB_TYPE must be the name of a database module, such as sqlite or postgresql"),
        ("DB_TYPE", "postgresql", "DB_TYPE needs DATABASE_URL"),
        ("DATABASE_URL", "mysql://db/x", "DATABASE_URL must be an address such as postgresql://"),
        ("DATABASE_URL", "db.example.org", "DATABASE_URL must be an address such as postgresql://"),
        ("LAPEL_ADMIN_KEY", "x" * 31, "LAPEL_ADMIN_KEY must be at least 32 characters"),
        ("LAPEL_ADMIN_KEY", "x" * 31 + " y", "LAPEL_ADMIN_KEY must be at least 32 characters, ASCII without spaces"),
        ("LAPEL_MASTER_KEY_FILE", "/no/such/file", "LAPEL_MASTER_KEY_FILE must be a file that exists"),
        ("LAPEL_CONTEXTS_DIR", "/no/such/folder", "LAPEL_CONTEXTS_DIR must be a folder that exists"),
        ("LAPEL_TRUSTED_PROXIES", ",", "LAPEL_TRUSTED_PROXIES must be addresses or networks"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_sentence_that_names_it(name: str, value: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value})
    assert sentence in str(caught.value)
    assert "docs/settings.md" in (caught.value.hint or "")


def test_all_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"LAPEL_PORT": "x", "LAPEL_WORKERS": "0", "DB_POOL_MIN": "5", "DB_POOL_MAX": "4"})
    assert [error.pointer for error in caught.value.errors] == ["/DB_POOL_MAX", "/LAPEL_PORT", "/LAPEL_WORKERS"]
    assert caught.value.code == "bad_settings"


def test_two_master_keys_are_one_too_many(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(SECRET)
    assert load_settings({"LAPEL_MASTER_KEY_FILE": str(file)}).master_key_file == file
    with pytest.raises(SettingsError, match="LAPEL_MASTER_KEY_FILE cannot be set together with LAPEL_MASTER_KEY"):
        load_settings({"LAPEL_MASTER_KEY_FILE": str(file), "LAPEL_MASTER_KEY": SECRET})


def test_secrets_are_there_but_never_shown() -> None:
    settings = load_settings({"DATABASE_URL": DSN, "LAPEL_ADMIN_KEY": SECRET, "LAPEL_MASTER_KEY": SECRET})
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == DSN
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "hunter2" not in shown
        assert SECRET not in shown


@pytest.mark.parametrize(("name", "value"), [("DATABASE_URL", "hunter2 hunter2"), ("LAPEL_ADMIN_KEY", "hunter2")])
def test_a_wrong_secret_is_not_shown_either(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value})
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_settings_are_frozen() -> None:
    settings = load_settings({})
    with pytest.raises(ValidationError):
        settings.port = 9  # type: ignore[misc]


def test_settings_can_be_made_by_attribute_names() -> None:
    assert Settings(sqlite_file=":memory:", port=9).public_url == "http://127.0.0.1:9"


def test_a_misspelt_variable_is_noticed() -> None:
    environ = {"LAPEL_PUBLIC_ULR": "x", "LAPEL_VECTORS": "x", "LAPEL_PORT": "1", "PATH": "x"}
    assert misspelt_settings(environ) == ("LAPEL_PUBLIC_ULR is not a setting; did you mean LAPEL_PUBLIC_URL?",)


def test_every_setting_is_described() -> None:
    described = describe_settings()
    assert len(described) == len(Settings.model_fields)
    assert all(setting.text and setting.values and setting.default for setting in described)
    secrets = {setting.name for setting in described if setting.secret}
    ours = {"LAPEL_ADMIN_KEY", "LAPEL_MASTER_KEY", "LAPEL_METRICS_KEY"}
    assert secrets == {"DATABASE_URL", "DATABASE_READ_URL", *ours}


def test_the_documentation_of_the_settings_is_current() -> None:
    assert DOCUMENTATION.read_text(encoding="utf-8") == render_settings(), (
        "docs/settings.md is out of date: python -m lapel.config.reference > docs/settings.md"
    )


def test_a_pool_that_is_larger_at_least_than_at_most_is_refused_by_default_too() -> None:
    with pytest.raises(SettingsError, match="DB_POOL_MAX must not be less than DB_POOL_MIN, which is 20; it is 10"):
        load_settings({"DB_POOL_MIN": "20"})


OIDC = {"LAPEL_OIDC_ISSUER": "https://id.example", "LAPEL_OIDC_AUDIENCE": "lapel", "LAPEL_OIDC_ROLES": "a=b=admin"}


def test_values_of_a_claim_give_roles() -> None:
    assert load_settings(OIDC).oidc_roles == {"a=b": "admin"}
    assert load_settings({**OIDC, "LAPEL_OIDC_ROLES": " x y = viewer ,z=owner"}).oidc_roles == {
        "x y": "viewer",
        "z": "owner",
    }
    assert load_settings({}).oidc_issuer is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAPEL_OIDC_AUDIENCE", ""),
        ("LAPEL_OIDC_ROLES", ""),
        ("LAPEL_OIDC_ROLES", "a"),
        ("LAPEL_OIDC_ROLES", "a=king"),
        ("LAPEL_OIDC_ROLES", "=admin"),
        ("LAPEL_OIDC_ROLES", "a=admin,a=viewer"),
        ("LAPEL_OIDC_ROLES", "a=admin,"),
        ("LAPEL_OIDC_ISSUER", "http://id.example"),
        ("LAPEL_OIDC_ISSUER", "id.example"),
        ("LAPEL_OIDC_ISSUER", "https://id.example?x=1"),
        ("LAPEL_OIDC_JWKS_URL", "ftp://id.example/keys"),
        ("LAPEL_OIDC_ISSUER", "https://id.example:port"),
        ("LAPEL_OIDC_ISSUER", "https://id..example"),
        ("LAPEL_OIDC_ISSUER", "https://10.0.0.256"),
        ("LAPEL_OIDC_JWKS_URL", "https://id.example:8443/keys"),
        ("LAPEL_OIDC_AUDIENCE", "two words"),
        ("LAPEL_OIDC_ROLES", "a=admin;b=viewer"),
        ("LAPEL_OIDC_CLOCK_TOLERANCE_SECONDS", "601"),
    ],
)
def test_half_a_provider_stops_the_start(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings({**OIDC, name: value})


@pytest.mark.parametrize("name", ["LAPEL_OIDC_ROLE_CLAIM", "LAPEL_OIDC_ORGANISATION_CLAIM"])
@pytest.mark.parametrize(
    "claim",
    [
        "realm_access.roles",
        "realm_access/roles",
        "/realm_access/",
        "//roles",
        "/",
        "/a~",
        "/a~2",
        "#/roles",
        "$.roles",
        "roles[0]",
        "['roles']",
        "roles,groups",
        "two words",
        "/two words",
    ],
)
def test_what_is_neither_a_claims_name_nor_the_way_to_it_stops_the_start(name: str, claim: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} must be the name of a claim, .* such as /realm_access/roles"):
        load_settings({**OIDC, name: claim})


@pytest.mark.parametrize(
    "claim",
    [
        "roles",
        "cognito:groups",
        "https://example.org/roles",
        "/realm_access/roles",
        "/kubernetes.io/groups",
        "/a~1b/~0",
    ],
)
def test_a_claim_is_a_name_or_a_pointer(claim: str) -> None:
    assert load_settings({**OIDC, "LAPEL_OIDC_ROLE_CLAIM": claim}).oidc_role_claim == claim


def test_a_provider_is_asked_where_something_may_be_fetched() -> None:
    keys = {"LAPEL_OIDC_JWKS_URL": "https://id.example/keys?p=policy"}
    assert load_settings({**OIDC, **keys}).oidc_jwks_url == keys["LAPEL_OIDC_JWKS_URL"]
    elsewhere = {**OIDC, "LAPEL_OIDC_ISSUER": "https://id.example:8443"}
    assert load_settings({**elsewhere, **keys}).oidc_issuer == "https://id.example:8443"  # a name, and not asked
    with pytest.raises(SettingsError, match=r"^LAPEL_OIDC_JWKS_URL must be set if .* another port"):
        load_settings(elsewhere)

    here = {**OIDC, "LAPEL_OIDC_ISSUER": "http://127.0.0.1:8080/realms/x"}
    with pytest.raises(SettingsError, match=r"^LAPEL_FETCH_ALLOW_LOOPBACK must be true if"):
        load_settings(here)
    assert load_settings({**here, "LAPEL_FETCH_ALLOW_LOOPBACK": "true"}).oidc_issuer == here["LAPEL_OIDC_ISSUER"]


def test_what_is_no_socket_is_no_signers(tmp_path: Path) -> None:
    later, file = tmp_path / "later", tmp_path / "file"
    file.touch()
    assert load_settings({"LAPEL_SIGNER_SOCKET": str(later)}).signer_socket == later  # nobody listens yet
    for wrong, said in ((file, "a Unix socket"), (tmp_path, "a Unix socket"), (tmp_path / ("x" * 120), "107 bytes")):
        with pytest.raises(SettingsError, match=f"^LAPEL_SIGNER_SOCKET must be .*{said}"):
            load_settings({"LAPEL_SIGNER_SOCKET": str(wrong)})


def test_a_folder_is_no_database_file(tmp_path: Path) -> None:
    for folder in ("/", str(tmp_path)):
        with pytest.raises(SettingsError, match=r"^SQLITE_FILE must be the path of a file"):
            load_settings({"SQLITE_FILE": folder})


def test_a_path_that_may_not_be_looked_at_is_told_like_one_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", closed)
    with pytest.raises(SettingsError) as caught:
        load_settings({"LAPEL_MASTER_KEY_FILE": "/closed/key", "LAPEL_CONTEXTS_DIR": "/closed/contexts"})
    assert str(caught.value).count("that this user may open") == 2


def test_the_address_of_a_standby_is_postgresqls_too() -> None:
    with pytest.raises(SettingsError, match=r"^DATABASE_READ_URL must be an address such as postgresql://"):
        load_settings({"DATABASE_URL": DSN, "DATABASE_READ_URL": "mysql://db/x"})


WRONG = {
    "DATABASE_URL": "no address",
    "DB_TYPE": "no such/type",
    "SQLITE_FILE": "no\0name",
    "LAPEL_HOST": "no host",
    "LAPEL_PUBLIC_URL": "badges.example.org",
    "LAPEL_ADMIN_KEY": "short",
    "LAPEL_METRICS_KEY": "short",
    "LAPEL_MASTER_KEY_FILE": "/no/such/file",
    "LAPEL_SIGNER_SOCKET": "/no/such/folder/socket",
    "LAPEL_CONTEXTS_DIR": "/no/such/folder",
}
"""For each setting that is neither a number nor a choice, something that it cannot be."""
UNCHECKED = {
    "LAPEL_MASTER_KEY",  # its own module says what is wrong with it
}


@pytest.mark.parametrize(
    "setting",
    [setting for setting in describe_settings() if setting.name not in UNCHECKED],
    ids=lambda setting: setting.name,
)
def test_each_setting_refuses_what_it_cannot_be_and_names_itself(setting: SettingDescription) -> None:
    wrong = WRONG.get(setting.name, "-1.5 of them")
    with pytest.raises(SettingsError) as caught:
        load_settings({setting.name: wrong})

    assert [error.pointer for error in caught.value.errors] == [f"/{setting.name}"]
    assert str(caught.value).startswith(f"{setting.name} ")
    assert caught.value.hint
    assert not setting.secret or wrong not in str(caught.value)


def test_a_wrong_master_key_stops_the_start_and_is_not_shown() -> None:
    with pytest.raises(InvalidMasterKey) as caught:
        build(load_settings({"LAPEL_MASTER_KEY": "hunter2", "SQLITE_FILE": ":memory:"}))
    assert "LAPEL_MASTER_KEY" in (caught.value.hint or "")
    assert "hunter2" not in str(caught.value)


def test_settings_of_a_provider_that_is_not_named_are_warned_of() -> None:
    assert any("LAPEL_OIDC_ISSUER" in warning for warning in load_settings({"LAPEL_OIDC_AUDIENCE": "lapel"}).warnings)
    assert not any("OIDC" in warning for warning in load_settings(OIDC).warnings)
    assert not any("OIDC" in warning for warning in load_settings({}).warnings)
