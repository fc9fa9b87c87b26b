"""Imports point inwards: the table below is the architecture, and the test fails on any other arrow."""

from __future__ import annotations

import pytest

from tests.support.source_tree import SourceFile, expect_none, source_files

# What each part of the package may import of the others. `bootstrap` and `parts` wire them and import everything; the
# command line, where a process begins, starts it. Settings are read there and handed on as plain values. `asgi` wires
# the web framework, which only a server loads. `verifier` wires what is needed to verify alone, so that `lapel verify`
# loads no server; `from_settings` makes single parts for `bootstrap`.
ARROWS = {
    "errors": set(),
    "file_system": set(),
    "config": {"errors"},
    "logs": {"errors"},
    "domain": {"errors"},
    "openbadges": {"domain", "errors"},
    "credentials": {"domain", "errors"},
    "fetching": {"domain", "errors"},
    "database": {"domain", "errors", "file_system"},
    "services": {"openbadges", "credentials", "domain", "errors", "file_system"},
    "maintenance": {"database", "services", "openbadges", "credentials", "domain", "errors", "file_system"},
    "http": {"services", "openbadges", "credentials", "domain", "errors"},
    "web": {"services", "openbadges", "credentials", "domain", "errors"},
    "client": {"services", "openbadges", "domain", "errors"},
    "verifier": {"config", "logs", "fetching", "services", "credentials", "domain", "errors"},
    "from_settings": {"config", "database", "http", "services", "credentials", "domain", "errors"},
    "asgi": {"bootstrap", "http"},
    "serving": {"asgi", "bootstrap", "config", "maintenance", "services", "errors"},
    "cli": {
        *("bootstrap", "serving", "verifier", "config"),
        *("maintenance", "services", "openbadges", "credentials", "domain", "errors"),
    },
    "__main__": {"cli"},
}
MAY_IMPORT_EVERYTHING = {"bootstrap", "parts"}

# Where a library may be imported: each stands behind one wall, so that it can be replaced behind it.
HOMES = {
    "sqlite3": {"lapel.database.sqlite"},
    "asyncpg": {"lapel.database.postgresql"},
    "sqlalchemy": {"lapel.database"},
    "alembic": {"lapel.database"},
    "httpx": {"lapel.client", "lapel.fetching"},
    "litestar": {"lapel.asgi", "lapel.http", "lapel.web"},
    "uvicorn": {"lapel.serving"},
    "jinja2": {"lapel.web", "lapel.http"},
    "markdown_it": {"lapel.web"},
    "typer": {"lapel.cli"},
    "rich": {"lapel.cli"},
    "pydantic": {"lapel.config"},
    "pydantic_settings": {"lapel.config"},
    "pyld": {"lapel.credentials"},
    "joserfc": {"lapel.credentials"},
    "nacl": {"lapel.credentials"},
}

# The domain does no I/O.
CLOSED_TO_THE_DOMAIN = {"asyncio", "http", "pathlib", "shutil", "socket", "ssl", "subprocess", "tempfile"}

# Ours, found by entry point like anybody's: nothing else in the package knows them.
DATABASE_MODULES = ("lapel.database.sqlite", "lapel.database.postgresql")


def part_of(module: str) -> str:
    """``lapel.database.errors`` is of the part ``database``; the package itself is of none."""
    return module.split(".")[1] if "." in module else ""


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def test_every_part_of_the_package_is_in_the_table() -> None:
    known = {"", *ARROWS, *MAY_IMPORT_EVERYTHING}
    expect_none(f"{file.path}: not in the table" for file in source_files("src") if part_of(file.module) not in known)


def wrong_arrows(file: SourceFile) -> list[str]:
    part = part_of(file.module)
    if part in MAY_IMPORT_EVERYTHING:
        return []
    allowed = ARROWS.get(part, set()) | {part, ""}
    return [
        f"{file.path}:{line}: {part or 'lapel'} may not import {module}"
        for line, module in file.imports()
        if is_within(module, "lapel") and part_of(module) not in allowed
    ]


def test_imports_point_inwards() -> None:
    expect_none(wrong for file in source_files("src") for wrong in wrong_arrows(file))


def test_each_library_stays_behind_its_wall() -> None:
    expect_none(
        f"{file.path}:{line}: {module} belongs in {', '.join(sorted(homes))}"
        for file in source_files("src")
        for line, module in file.imports()
        if (homes := HOMES.get(module.partition(".")[0]))
        and part_of(file.module) not in MAY_IMPORT_EVERYTHING
        and not any(is_within(file.module, home) for home in homes)
    )


def test_the_domain_does_no_input_or_output() -> None:
    expect_none(
        f"{file.path}:{line}: the domain may not import {module}"
        for file in source_files("src")
        for line, module in file.imports()
        if part_of(file.module) == "domain" and module.partition(".")[0] in CLOSED_TO_THE_DOMAIN
    )


def test_no_database_is_known_outside_its_own_package() -> None:
    expect_none(
        f"{file.path}:{line}: {module} is found by its entry point"
        for file in source_files("src")
        for line, module in file.imports()
        for package in DATABASE_MODULES
        if is_within(module, package) and not is_within(file.module, package)
        if part_of(file.module) not in MAY_IMPORT_EVERYTHING
    )


@pytest.mark.parametrize(
    ("module", "statement", "imported"),
    [
        ("lapel.http.app", "import lapel.services.issuing.issuing", "lapel.services.issuing.issuing"),
        ("lapel.http.app", "from lapel import database", "lapel.database"),
        ("lapel.http.app", "from .. import database", "lapel.database"),
        ("lapel.http.app", "from ..database.errors import Lost", "lapel.database.errors.Lost"),
        ("lapel.http.app", "def f():\n    from lapel.database import x", "lapel.database.x"),
        ("lapel.http.app", "if TYPE_CHECKING:\n    import lapel.database", "lapel.database"),
    ],
)
def test_every_form_of_import_is_seen(module: str, statement: str, imported: str) -> None:
    file = SourceFile(f"src/{module.replace('.', '/')}.py", module, statement)

    assert [name for _, name in file.imports()] == [imported]
    assert bool(wrong_arrows(file)) == imported.startswith("lapel.database")


def test_relative_imports_of_a_package_start_at_itself() -> None:
    file = SourceFile("src/lapel/http/__init__.py", "lapel.http", "from . import app")

    assert [name for _, name in file.imports()] == ["lapel.http.app"]
