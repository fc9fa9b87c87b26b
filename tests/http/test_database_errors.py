"""Each error of the database layer as whoever asks over HTTP meets it."""

from __future__ import annotations

import pytest
from litestar import Litestar, get
from litestar.testing import TestClient

from lapel.database import errors
from lapel.domain.addresses import Addresses
from lapel.errors import Unavailable
from lapel.http.problems import problem_handlers
from lapel.web.site import Site

KINDS: dict[str, type[errors.DatabaseError]] = {
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.DatabaseError)
}
OTHERS = {
    "AlreadyExists": 500,
    "CheckViolation": 409,
    "CommitDelayed": 500,
    "ConstraintViolation": 409,
    "CorruptDatabase": 500,
    "DatabaseError": 500,
    "ForeignDatabase": 500,
    "ForeignKeyViolation": 409,
    "InvalidValue": 400,
    "MissingDatabase": 404,
    "NewerDatabase": 500,
    "NotADatabase": 500,
    "NotNullViolation": 409,
    "NotSupported": 501,
    "PermissionDenied": 500,
    "RecordNotFound": 404,
    "SameDatabase": 400,
    "SessionMisuse": 500,
    "TransactionEnded": 500,
    "TransactionFailed": 500,
    "TwoPhaseNotSupported": 501,
    "TwoPhaseOff": 501,
    "UniqueViolation": 409,
    "UnknownDatabaseType": 400,
    "ValueTooLarge": 413,
    "WrongSchema": 500,
}
"""What is not a question of a moment; all the rest is 503."""
WHERE = "db.internal.example"
BASE = "https://badges.example"
HANDLERS = problem_handlers(BASE, pages=Site(Addresses(BASE)))


@pytest.mark.parametrize("name", KINDS)
def test_what_passes_is_a_503_that_says_when_to_come_back_and_the_rest_is_what_it_is(name: str) -> None:
    @get("/")
    async def fail() -> None:
        raise KINDS[name](f"The host is {WHERE}.")

    with TestClient(Litestar([fail], exception_handlers=HANDLERS)) as client:
        response = client.get("/")
    problem = response.json()
    assert response.status_code == problem["status"] == OTHERS.get(name, 503)
    if response.status_code == 503:
        assert issubclass(KINDS[name], Unavailable)
        assert int(response.headers["retry-after"]) >= 1
        assert problem["hint"]
    if response.status_code >= 500 and response.status_code != 501:
        assert WHERE not in response.text
    if response.status_code != 500:
        assert problem["code"] == KINDS[name].code
