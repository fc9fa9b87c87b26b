"""With the database away, what never changes is still served from memory, and everything else fails at once."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pytest

from tests.http.live_server import LiveServer, live_server
from tests.support.badge_images import itxt, png
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import eventually

FAST = 1.0
LATEST = 20.0
"""Many times that: on a busy machine one of many is late."""


@dataclass(frozen=True)
class Away:
    """A server, and how its database goes away and comes back."""

    server: LiveServer
    lose: Callable[[], None]
    give_back: Callable[[], None]


@contextmanager
def on_postgresql(postgres: PostgresServer) -> Iterator[Away]:
    dsn = postgres.create_database()
    with live_server({"DATABASE_URL": dsn, "LAPEL_MASTER_KEY": "6b1f0c9d" * 8}) as server:
        yield Away(server, lambda: postgres.stop("immediate"), postgres.start)


@contextmanager
def on_sqlite(folder: Path) -> Iterator[Away]:
    file, aside = folder / "lapel.sqlite", folder / "elsewhere.sqlite"
    with live_server({"SQLITE_FILE": str(file)}) as server:
        yield Away(server, lambda: void(file.rename(aside)), lambda: void(aside.rename(file)))


def void(_: object) -> None: ...


@pytest.fixture(params=["sqlite", "postgresql"])
def away(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Away]:
    if request.param == "sqlite":
        with on_sqlite(tmp_path) as away:
            yield away
    else:
        with on_postgresql(request.getfixturevalue("stoppable_postgres")) as away:
            yield away


@dataclass(frozen=True)
class Award:
    """A credential with all that is around it, each by its URL."""

    issuer: str
    achievement: str
    image: str
    credential: str
    status_list: str
    key: str

    @property
    def lasting(self) -> list[str]:
        return [self.credential, f"{self.credential}/image", self.image]


def award(server: LiveServer, *, secured: str = "eddsa-rdfc-2022") -> Award:
    number = secrets.token_hex(8)  # the same image would have the same address
    issuer = server.create("/v3/issuers", name="School", email="badges@school.example")
    achievement = server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="Knots",
        description="-",
        criteria={"narrative": "-"},
        image="data:image/png;base64," + base64.b64encode(png(itxt(b"Comment", number.encode()))).decode(),
    )
    made = server.ask(
        "POST",
        "/v3/credentials",
        json={
            "achievement": achievement["id"],
            "recipient": {"type": "email", "identity": "ada@school.example"},
            "format": secured,
        },
    )
    assert made.status_code == 201, made.text
    location = made.headers["location"]
    content: dict[str, Any] = made.json() if secured != "vc-jwt" else claims(made.text)
    key = server.get(issuer["id"]).json()["verificationMethod"][0]["id"]
    return Award(
        issuer["id"],
        achievement["id"],
        achievement["image"]["id"],
        location,
        content["credentialStatus"]["statusListCredential"],
        key,
    )


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return decoded


def refused(response: httpx.Response) -> float:
    """It says that it cannot now, and when to come again. The seconds that this took."""
    assert response.status_code == 503, (response.url, response.text)
    assert int(response.headers["retry-after"]) >= 1
    return response.elapsed.total_seconds()


def gone_within(seconds: float, server: LiveServer, urls: list[str]) -> None:
    """Wait until each is refused; who asks after so many seconds is answered nothing else."""
    since = time.monotonic()
    for url in urls:
        asked_at = time.monotonic()
        while server.ask("GET", url).status_code != 503:
            assert asked_at - since < seconds, url
            asked_at = time.monotonic()


@pytest.mark.parametrize("secured", ["eddsa-rdfc-2022", "vc-jwt"])
def test_what_was_seen_and_never_changes_is_served_and_all_else_is_refused_at_once(away: Away, secured: str) -> None:
    server = away.server
    seen, unseen = award(server, secured=secured), award(server, secured=secured)
    before = {url: server.get(url) for url in seen.lasting}
    changing = [
        seen.issuer,
        seen.achievement,
        f"{seen.achievement}/image",
        seen.status_list,
        f"{seen.issuer}/did.json",
        seen.issuer.replace("/v3/", "/v2/"),
        seen.credential.replace("/v3/credentials", "/v2/assertions"),
        "/.well-known/did.json",
        "/.well-known/jwks.json",
    ]
    for url in changing:
        assert server.get(url).status_code == 200, url
    page = server.get(seen.credential, accept="text/html")
    assert page.status_code == 200

    away.lose()
    gone_within(2, server, ["/health/ready"])
    # Entities and keys may be a second old.
    gone_within(1.5, server, [seen.issuer, seen.achievement, "/v3/credentials"])
    took: list[float] = []
    time_out = time.monotonic() + 2
    while time.monotonic() < time_out:  # at no moment of these seconds does it answer anything else
        for url, answered in before.items():
            again = server.get(url)
            assert (again.status_code, again.content) == (200, answered.content), url
            assert again.headers["etag"] == answered.headers["etag"]
            assert server.get(url, if_none_match=again.headers["etag"]).status_code == 304
        away_too = (*changing, *unseen.lasting, f"{seen.credential[:-12]}000000000000")
        took.extend(refused(server.get(url)) for url in away_too)
        took.append(refused(server.get(seen.credential, accept="text/html")))
        took.append(refused(server.ask("GET", "/v3/credentials")))
        took.append(refused(server.ask("POST", f"{seen.credential}/status", json={"status": "revoked"})))
        took.append(refused(server.ask("POST", "/v3/issuers", json={"name": "Other"}, key="somebody-else's-key")))
    assert median(took) < FAST
    assert max(took) < LATEST

    away.give_back()
    for url in (*changing, *seen.lasting, *unseen.lasting):
        assert eventually(lambda url=url: server.get(url).status_code == 200), url  # type: ignore[misc]  # bound now
    assert eventually(lambda: server.ask("GET", "/v3/credentials").status_code == 200)


def test_a_revoked_credentials_document_is_still_the_document(away: Away) -> None:
    made = award(away.server)
    signed = away.server.get(made.credential).content
    assert away.server.ask("POST", f"{made.credential}/status", json={"status": "revoked"}).status_code == 200
    away.lose()
    assert away.server.get(made.credential).content == signed
    gone_within(2, away.server, [made.status_list])
