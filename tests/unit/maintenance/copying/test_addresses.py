"""What may be written for a database, and which one is meant by it."""

from __future__ import annotations

import pytest

from lapel.bootstrap import open_database
from lapel.config import load_settings
from lapel.maintenance.copying import BadDatabaseAddress, parse_address

FILE, URL = "SQLITE_FILE", "DATABASE_URL"
ENVIRONMENT = {"THERE": "postgresql://lapel:secret@db/lapel", "HERE": "data/lapel.sqlite", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "module", "variable", "address"),
    [
        ("data/lapel.sqlite", "sqlite", FILE, "data/lapel.sqlite"),
        ("sqlite:/var/lib/lapel.sqlite", "sqlite", FILE, "/var/lib/lapel.sqlite"),
        ("sqlite:of:2026.sqlite", "sqlite", FILE, "of:2026.sqlite"),
        ("./of:2026.sqlite", "sqlite", FILE, "./of:2026.sqlite"),
        ("postgresql", "sqlite", FILE, "postgresql"),
        ("postgresql://lapel@db/lapel", "postgresql", URL, "postgresql://lapel@db/lapel"),
        ("postgres://lapel@db/lapel", "postgresql", URL, "postgres://lapel@db/lapel"),
        ("env:THERE", "postgresql", URL, "postgresql://lapel:secret@db/lapel"),
        ("env:HERE", "sqlite", FILE, "data/lapel.sqlite"),
    ],
)
def test_what_is_written_names_a_module_and_its_address(text: str, module: str, variable: str, address: str) -> None:
    place = parse_address(text, ENVIRONMENT)

    assert (place.module, place.variable, place.address) == (module, variable, address)
    assert "secret" not in repr(place)


@pytest.mark.parametrize(
    "text", ["", "sqlite:", ":memory:", "mysql://db/lapel", "sealed:data/lapel.sqlite", "env:EMPTY"]
)
def test_what_names_none_is_refused(text: str) -> None:
    with pytest.raises(BadDatabaseAddress):
        parse_address(text, ENVIRONMENT)


def test_an_address_of_what_opens_a_file_is_refused() -> None:
    place = parse_address("sqlite:///a", ENVIRONMENT)
    database = open_database(load_settings(place.settings(ENVIRONMENT)), make=False)

    with pytest.raises(BadDatabaseAddress, match="a file"):
        place.check(database)


def test_the_other_settings_stay() -> None:
    of_another = {"SQLITE_FILE": "a", "DATABASE_URL": "postgresql://b", "DATABASE_READ_URL": "postgresql://b2"}
    environment = {**of_another, "DB_TYPE": "c", "DB_POOL_MAX": "3"}

    settings = parse_address("data/lapel.sqlite", environment).settings(environment)

    assert settings == {"SQLITE_FILE": "data/lapel.sqlite", "DB_TYPE": "sqlite", "DB_POOL_MAX": "3"}
