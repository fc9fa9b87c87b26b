"""A database, and a server on it that is started, broken and started again; and afterwards the whole truth about it."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx

from lapel.bootstrap import Application, build
from lapel.cli.running import OPERATOR
from lapel.config import load_settings
from lapel.credentials import bitstring_status_list
from lapel.domain.credential import Credential, CredentialStatus
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.openbadges.shapes import Criteria
from lapel.services.requests import NewAchievement, NewIssuer
from tests.support.load import Answer, Load
from tests.support.server_process import ADMIN_KEY, answers, free_port, log_of, serving
from tests.support.waiting import eventually

__all__ = ["Found", "Site", "narrative_of"]

_MAYBE = "database_outcome_unknown"
_SAMPLE = 25
_MASTER_KEY = "6b1f0c9d" * 8


@dataclass(frozen=True, slots=True)
class Found:
    """What an audit has counted."""

    acknowledged: int
    stored: int
    revoked: int
    verified: int
    refused: int
    unanswered: int

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} acknowledged, 0 lost; {self.stored} stored, {self.revoked} revoked,"
            f" {self.verified} verified; {self.refused} refused, {self.unanswered} without an answer"
        )


class Site:
    """A folder, an address to serve at, and the settings of a database.

    Args:
        dsn: of a PostgreSQL database; none: a SQLite file in `folder`.
        settings: further ones, by their names in the environment.

    Attributes:
        file: where this process finds the SQLite file.
        workers: how many processes serve.
    """

    def __init__(self, folder: Path, *, dsn: str | None = None, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.file = folder / "lapel.sqlite"
        self.on_file = dsn is None
        self.workers = int(settings.get("LAPEL_WORKERS", "1"))
        database = {"SQLITE_FILE": str(self.file)} if dsn is None else {"DATABASE_URL": dsn}
        self.environment = {
            "LAPEL_ADMIN_KEY": ADMIN_KEY,
            "LAPEL_MASTER_KEY": _MASTER_KEY,
            "LAPEL_RATE_LIMIT": "0",
            **database,
            **settings,
        }

    @contextmanager
    def server(self, *, within: Sequence[str] = ()) -> Iterator[subprocess.Popen[str]]:
        """A server of which all processes serve; killed at the end if it still runs. It may be started again."""

        def all_serve() -> bool:  # it is ready as soon as one of them is
            return self.log().count("Application startup complete") >= self.workers and self.ready()

        with serving(self.folder, self.port, within=within, **self.environment) as process:
            assert eventually(lambda: process.poll() is not None or all_serve()), self.log()
            assert process.poll() is None, self.log()
            yield process

    def ready(self) -> bool:
        """Whether the server says so."""
        return answers(self.port)

    def metrics(self) -> str:
        """What ``/metrics`` says."""
        # It is plain http; reading the machine's trusted certificates would take longer than the answer.
        return httpx.get(f"http://127.0.0.1:{self.port}/metrics", trust_env=False, verify=False, timeout=60).text  # noqa: S501

    def measured(self, name: str) -> float:
        """What ``/metrics`` says of the database under that name."""
        (value,) = re.findall(rf"^lapel_database_{name} (\S+)$", self.metrics(), re.MULTILINE)
        return float(value)

    def log(self) -> str:
        """The server's, since it was last started."""
        return log_of(self.folder, self.port)

    async def achievement(self) -> str:
        """The id of a new achievement of a new issuer, defined beside the server."""
        async with self.application() as application:
            services = application.services
            issuer = await services.issuers.create(OPERATOR, NewIssuer(name="Harbour University"))
            wanted = NewAchievement(
                issuer=str(issuer.id), name="Sailing", description="Sails.", criteria=Criteria(narrative="Sail.")
            )
            return str((await services.achievements.create(OPERATOR, wanted)).id)

    @asynccontextmanager
    async def application(self) -> AsyncIterator[Application]:
        """The application in this process on the same database, whose schema is brought up to date."""
        here = {"SQLITE_FILE": str(self.file), "LAPEL_PORT": str(self.port)}
        async with build(load_settings({**self.environment, **here})) as application:
            await application.database.connect()
            await application.database.migrate()
            await application.start()
            yield application

    async def audit(self, *loads: Load, everything: bool = False) -> Found:
        """Compare what the clients of these loads were told with what the database holds.

        Fails if anything acknowledged is not there byte for byte, anything refused is (unless it was said that this
        cannot be told), anything is there twice or does not verify, or a status list differs from the revocations.

        Args:
            everything: verify every credential, not only a sample.
        """
        told = [answer for load in loads for answer in load.answers]
        async with self.application() as application:
            stream = application.database.read().credentials.stream(DEFAULT_ORGANISATION_ID)
            stored = [credential async for credential in stream]
            _compare(told, stored)
            await _compare_lists(application, stored)
            chosen = stored if everything else stored[:: max(1, len(stored) // _SAMPLE)]
            for credential in chosen:
                report = await application.services.verifying.verify(credential.signed, media_type="application/vc")
                assert report.valid is (credential.status is CredentialStatus.ACTIVE), report
        self.check_integrity()
        return Found(
            acknowledged=sum(len(load.issued) + len(load.revoked) for load in loads),
            stored=len(stored),
            revoked=sum(credential.status is CredentialStatus.REVOKED for credential in stored),
            verified=len(chosen),
            refused=sum(len(load.refused) for load in loads),
            unanswered=sum(len(load.unanswered) for load in loads),
        )

    def check_integrity(self) -> None:
        """Fails if a SQLite file is damaged."""
        if self.on_file:
            with closing(sqlite3.connect(self.file)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def narrative_of(credential: Credential) -> str:
    """What only this credential says."""
    return str(json.loads(credential.signed)["credentialSubject"]["narrative"])


def _compare(told: Sequence[Answer], stored: Sequence[Credential]) -> None:
    by_narrative = {narrative_of(credential): credential for credential in stored}
    assert len(by_narrative) == len(stored), "one credential was stored twice"
    by_id = {json.loads(credential.signed)["id"]: credential for credential in stored}
    entries = {(credential.status_list_id, credential.status_index) for credential in stored}
    assert len(entries) == len(stored), "one status entry was given out twice"
    for answer in told:
        issues, about = answer.request.purpose == "issue", answer.request.about
        found = (by_narrative if issues else by_id).get(about)
        done = found is not None and (issues or found.status is CredentialStatus.REVOKED)
        if answer.status in (200, 201):
            assert done, f"acknowledged, but not there: {answer}"
            assert found is not None
            assert not issues or found.signed == answer.body
        elif answer.status and answer.code != _MAYBE:
            assert not done, f"refused, but there: {answer}"


async def _compare_lists(application: Application, stored: Sequence[Credential]) -> None:
    lists: dict[UUID, list[Credential]] = {}
    for credential in stored:
        assert credential.status_list_id is not None
        lists.setdefault(credential.status_list_id, []).append(credential)
    for list_id, credentials in lists.items():
        document = json.loads((await application.services.statuses.status_list(list_id)).content)
        bits = bitstring_status_list.decode(document["credentialSubject"]["encodedList"])
        for credential in credentials:
            assert credential.status_index is not None
            bit = bool(bitstring_status_list.read(bits, credential.status_index))
            assert bit is (credential.status is CredentialStatus.REVOKED), credential.id
