"""A running server for the tests of HTTP: one for each database and test module."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from lapel.client import Client
from lapel.domain.access import Role
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from tests.faults.site import Site
from tests.http.live_server import ADMIN_KEY, AnyServer, LiveServer, live_server
from tests.support.audited import every_change_is_recorded
from tests.support.badge_images import png
from tests.support.browser import Browser, find_driver, running_browser
from tests.support.postgres_server import PostgresServer

__all__ = ["achievement", "browser", "credential", "every_change_is_recorded", "issuer", "server"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyServer]:
    """A server on an empty database: once for each product. The tests of a module share it.

    That SQLite in memory behaves as in a file is the conformance kit's. A module in which requests meet one another
    asks for ``sqlite-memory`` too, whose one connection takes them in turn; one may also ask for ``two-processes``:
    `lapel serve` with two workers, on the database that takes two.
    """
    environment = {"LAPEL_RATE_LIMIT": "0", "LAPEL_MAX_BODY_BYTES": "2000000"}
    if "sqlite" in request.param:
        memory = request.param == "sqlite-memory"
        file = ":memory:" if memory else str(tmp_path_factory.mktemp("server") / "lapel.sqlite")
        with live_server({**environment, "SQLITE_FILE": file}) as server:
            yield server
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    dsn = postgres.create_database()
    try:
        if request.param == "two-processes":
            site = Site(tmp_path_factory.mktemp("server"), dsn=dsn, LAPEL_WORKERS="2")
            asyncio.run(site.achievement())  # which makes the tables
            with site.server():
                yield AnyServer(f"http://127.0.0.1:{site.port}")
            return
        with live_server({**environment, "DATABASE_URL": dsn, "LAPEL_MASTER_KEY": "6b1f0c9d" * 8}) as server:
            yield server
    finally:
        postgres.drop_database(dsn)


@pytest.fixture(scope="module")
def issuer(server: LiveServer) -> dict[str, Any]:
    """An issuer with everything that both standards want."""
    return server.create(
        "/v3/issuers", name="Riverside School", url="https://school.example", email="badges@school.example"
    )


@pytest.fixture(scope="module")
def achievement(server: LiveServer, issuer: dict[str, Any]) -> dict[str, Any]:
    return server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="Knots <b>and</b> Ropes",
        description="Ties what must hold.",
        criteria={"narrative": "Tied ten knots, blindfolded."},
        tag=["ropes"],
    )


@pytest.fixture(scope="module")
def credential(server: LiveServer, achievement: dict[str, Any]) -> dict[str, Any]:
    return server.create(
        "/v3/credentials",
        achievement=achievement["id"],
        recipient={"type": "email", "identity": "ada@school.example", "name": "Ada & Co"},
    )


@pytest.fixture(scope="module")
def owner(server: LiveServer) -> str:
    """A key of an owner of the default organisation."""
    keys = server.application.services.api_keys
    return server.run(keys.create_for(DEFAULT_ORGANISATION_ID, name="operator", role=Role.OWNER)).secret


@pytest.fixture(scope="module")
def lapel(server: LiveServer) -> Iterator[Client]:
    """Our own client, with the administrator's key; what it is answered is held against the description, too."""
    with server.client as http:
        yield Client(server.url, key=ADMIN_KEY, http=http)


@pytest.fixture(scope="session")
def any_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Debian's Chromium; without it its tests skip, and in CI they fail."""
    driver = find_driver()
    if driver is None:
        pytest.skip("no ChromeDriver: `apt install chromium-driver` brings it and the browser")
    with running_browser(driver, tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def browser(any_browser: Browser) -> Browser:
    """The browser as somebody finds it who has used it for nothing yet."""
    any_browser.open("about:blank")
    any_browser.resize(1280, 800)
    any_browser.prefer("light")
    any_browser.complaints()
    return any_browser


@pytest.fixture(scope="module")
def known(server: LiveServer) -> dict[str, str]:
    """Ids of what there is, by the name of the parameter that stands for it in a path."""
    return things(server)


def things(server: AnyServer) -> dict[str, str]:
    """One new thing of each kind: their ids, by the name of the parameter that stands for it in a path."""
    issuer = server.create("/v3/issuers", name="School", url="https://school.example", email="badges@school.example")
    words = {"name": "Knots", "description": "Ties knots.", "criteria": {"narrative": "Tie ten."}, "suspendable": True}
    achievement = server.create("/v3/achievements", issuer=issuer["id"], **words)["id"]
    recipient = {"type": "email", "identity": "ada@school.example"}
    credential = server.create("/v3/credentials", achievement=achievement, recipient=recipient)
    image = server.ask("PUT", f"{achievement}/image", content=png(), headers={"content-type": "image/png"}).json()
    addresses = {
        "issuer_id": issuer["id"],
        "achievement_id": achievement,
        "credential_id": credential["id"],
        "list_id": credential["credentialStatus"]["statusListCredential"],
        "key_id": server.ask("GET", f"{issuer['id']}/keys").json()["items"][0]["id"],
        "image_id": image["image"]["id"],
        "organisation_id": server.ask("GET", "/v3/organisations/current").json()["id"],
        "api_key_id": server.create("/v3/api-keys", name="A reader", role="viewer")["id"],
    }
    return {name: address.rpartition("/")[2] for name, address in addresses.items()}


def ids_of(path: str, known: dict[str, str]) -> dict[str, str]:
    """What stands for the parameters of that path."""
    return {**known, "key_id": known["api_key_id"]} if path.startswith("/v3/api-keys/") else known


def filled(path: str, known: dict[str, str]) -> str:
    """The path of something that there is."""
    return path.format_map(ids_of(path, known))
