"""A small world to verify in: an issuer with keys and a web site, badges that it signs, and a verifier."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from lapel.credentials import bitstring_status_list, data_integrity, eddsa_rdfc_2022, keys
from lapel.credentials.did import did_key
from lapel.credentials.jose import vc_jwt
from lapel.credentials.jsonld import Contexts, to_quads
from lapel.credentials.rdf.rdfc import canonicalise
from lapel.domain.fetching import Fetched, FetchFailed, FetchNotFound, FetchTimeout
from lapel.domain.json import JsonObject
from lapel.domain.signing_key import KeyAlgorithm
from lapel.domain.status_list import StatusPurpose
from lapel.services.verifying import Outcome, Report, Verifying

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ISSUER = "https://school.example/v3/issuers/1"
LIST = "https://school.example/v3/status-lists/1"
OB = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"
VC = "https://www.w3.org/ns/credentials/v2"


class Web:
    """The web as the fetcher sees it: what is published where, and what was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, Fetched | FetchFailed] = {}
        self.asked: list[str] = []

    def publish(self, url: str, content: object, *, media_type: str = "application/json") -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.pages[url] = Fetched(url, media_type, body, 200, None)

    def fail(self, url: str, error: FetchFailed) -> None:
        self.pages[url] = error

    def go_down(self) -> None:
        self.pages = {url: FetchTimeout("It took more than 10 seconds.") for url in self.pages}

    async def fetch(self, url: str, *, accept: str = "application/json", max_bytes: int | None = None) -> Fetched:
        self.asked.append(url)
        page = self.pages.get(url) or FetchNotFound("The server answered 404.", status=404)
        if isinstance(page, FetchFailed):
            raise page
        return page


class World:
    """An issuer, its web site, and a verifier."""

    def __init__(self) -> None:
        self.now = NOW
        self.web = Web()
        self.contexts = Contexts.bundled()
        self.signer = self.new_signer()
        self.verifying = self.new_verifying()
        self.publish_issuer()
        self.publish_list()

    def new_verifying(self, **options: Any) -> Verifying:
        given: dict[str, Any] = {
            "fetcher": self.web,
            "clock": lambda: self.now,
            "contexts": self.contexts,
            "general_path": None,
        }
        return Verifying(**given | options)

    # --- the issuer ---

    def new_signer(self, algorithm: KeyAlgorithm = KeyAlgorithm.ED25519) -> keys.LocalSigner:
        return keys.LocalSigner(keys.generate(algorithm).private_key)

    @property
    def multikey(self) -> str:
        return keys.multikey(self.signer.public_key)

    @property
    def method_id(self) -> str:
        return f"{ISSUER}#{self.multikey}"

    @property
    def did(self) -> str:
        return did_key(keys.load_public(self.signer.public_key)).did

    def issuer_document(self) -> dict[str, Any]:
        return {
            "id": ISSUER,
            "type": "Profile",
            "name": "The School",
            "verificationMethod": [
                {
                    "id": self.method_id,
                    "type": "Multikey",
                    "controller": ISSUER,
                    "publicKeyMultibase": self.multikey,
                }
            ],
            "assertionMethod": [self.method_id],
        }

    def publish_issuer(self, **changes: Any) -> None:
        self.web.publish(ISSUER, self.issuer_document() | changes)

    def publish_list(
        self,
        *revoked: int,
        purpose: StatusPurpose = StatusPurpose.REVOCATION,
        changes: Mapping[str, Any] | None = None,
        signer: keys.LocalSigner | None = None,
    ) -> None:
        encoded = bitstring_status_list.encode(bitstring_status_list.from_indices(revoked))
        document = bitstring_status_list.list_credential(
            list_url=LIST, issuer=ISSUER, purpose=purpose, encoded_list=encoded, valid_from=NOW - timedelta(days=1)
        )
        self.web.publish(LIST, self.sign({**document, **(changes or {})}, signer=signer))

    # --- badges ---

    def badge(self, **changes: Any) -> dict[str, Any]:
        """An unsigned badge; a change to None removes a member."""
        badge: dict[str, Any] = {
            "@context": [VC, OB],
            "id": "https://school.example/v3/credentials/7",
            "type": ["VerifiableCredential", "OpenBadgeCredential"],
            "name": "Chess",
            "issuer": {"id": ISSUER, "type": ["Profile"], "name": "The School"},
            "validFrom": "2026-05-01T00:00:00Z",
            "validUntil": "2027-05-01T00:00:00Z",
            "credentialSubject": {
                "type": ["AchievementSubject"],
                "identifier": [
                    {
                        "type": "IdentityObject",
                        "hashed": False,
                        "identityHash": "ada@example.org",
                        "identityType": "emailAddress",
                    }
                ],
                "achievement": {
                    "id": "https://school.example/v3/achievements/3",
                    "type": ["Achievement"],
                    "name": "Chess",
                    "description": "Plays chess.",
                    "criteria": {"narrative": "Win a game."},
                    "creditsAvailable": 1.5,
                    "tag": ["games", "mind"],
                },
            },
            "credentialStatus": {
                "id": f"{LIST}#5",
                "type": "BitstringStatusListEntry",
                "statusPurpose": "revocation",
                "statusListIndex": "5",
                "statusListCredential": LIST,
            },
        }
        badge |= changes
        return {name: value for name, value in badge.items() if value is not None}

    def sign(
        self,
        document: JsonObject,
        *,
        signer: keys.LocalSigner | None = None,
        method_id: str | None = None,
        created: datetime = NOW - timedelta(hours=1),
        **changes: Any,
    ) -> dict[str, Any]:
        """The document with an eddsa-rdfc-2022 proof. `changes` are made to the options before they are signed."""
        options = eddsa_rdfc_2022.proof_options(
            document, verification_method=method_id or self.method_id, created=created
        )
        options |= changes
        data = eddsa_rdfc_2022.hash_data(self.canonical(options), self.canonical(data_integrity.unsecured(document)))
        signature = (signer or self.signer).sign(data)
        return copy.deepcopy(
            {**document, "proof": eddsa_rdfc_2022.with_value(options, eddsa_rdfc_2022.encode_proof_value(signature))}
        )

    def canonical(self, document: JsonObject) -> str:
        return canonicalise(to_quads(document, contexts=self.contexts, strict_numbers=False))

    def token(
        self, document: JsonObject, *, kid: str | None = None, signer: keys.LocalSigner | None = None, **header: Any
    ) -> str:
        by = signer or self.signer
        return vc_jwt.encode(
            document, kid=self.method_id if kid is None else kid, algorithm=by.algorithm, sign=by.sign, **header
        )

    # --- the verifier ---

    async def verify(self, badge: JsonObject | str | bytes, **options: Any) -> Report:
        data = badge if isinstance(badge, str | bytes) else json.dumps(badge, ensure_ascii=False)
        return await self.verifying.verify(data, **options)


def failed(report: Report) -> list[tuple[str, str | None]]:
    """Which checks failed, with which problem."""
    return with_outcome(report, Outcome.FAIL)


def with_outcome(report: Report, outcome: Outcome) -> list[tuple[str, str | None]]:
    """Check and problem of those that ended so."""
    return [(c.code.value, c.problem and c.problem.value) for c in report.checks if c.outcome is outcome]


def outcome(report: Report, code: str) -> tuple[str, str | None]:
    """How the one check of that code ended, and its problem."""
    [check] = [check for check in report.checks if check.code == code]
    return check.outcome.value, check.problem and check.problem.value
