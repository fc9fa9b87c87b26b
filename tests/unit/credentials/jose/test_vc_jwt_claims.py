"""The registered claims of a VC-JWT and its credential: what must agree, in each of the three forms."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lapel.credentials.date_time import parse_timestamp
from lapel.credentials.jose import vc_jwt
from lapel.credentials.jose.vc_jwt import ClaimMismatch, Profile, VcJwt
from lapel.domain.json import JsonObject, JsonValue
from tests.support.vc_jwt_tokens import CLAIMS, CREDENTIAL, GOOD, token, without


def mismatches(compact: str) -> list[str]:
    return [mismatch.claim for mismatch in vc_jwt.check_claims(vc_jwt.decode(compact))]


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("iss", "https://other.example"),
        ("iss", None),
        ("sub", "did:example:eve"),
        ("jti", "urn:uuid:other"),
        ("jti", ["https://badges.example.org/v3/credentials/1"]),
        ("nbf", 1714557601),
        ("exp", 4870231199),
    ],
)
def test_a_claim_that_says_something_else_is_reported(claim: str, value: JsonValue) -> None:
    assert mismatches(token(GOOD, {**CLAIMS, claim: value})) == [claim]


@pytest.mark.parametrize("claim", ["iss", "sub", "jti", "nbf", "exp"])
def test_a_claim_that_is_missing_is_reported(claim: str) -> None:
    assert mismatches(token(GOOD, without(CLAIMS, claim))) == [claim]


def test_a_mismatch_says_where_and_what() -> None:
    found = vc_jwt.check_claims(vc_jwt.decode(token(GOOD, {**CLAIMS, "iss": "x"})))
    assert found == [ClaimMismatch("iss", "/issuer", "`iss` of the token is not the id at /issuer in what it holds.")]


def test_a_token_of_nothing_names_no_issuer() -> None:
    assert mismatches(token(GOOD, {})) == ["nbf", "iss"]


def test_a_sub_without_a_subject_id_is_reported() -> None:
    assert mismatches(token(GOOD, {**CLAIMS, "credentialSubject": {"type": "AchievementSubject"}})) == ["sub"]


def test_issuer_as_text_and_subjects_as_list_match() -> None:
    subjects = [{"id": "did:example:ada"}]
    claims = {**CLAIMS, "issuer": CLAIMS["iss"], "credentialSubject": subjects}
    assert mismatches(token(GOOD, claims)) == []


def test_exp_sets_valid_until_where_the_credential_has_none() -> None:
    jwt = vc_jwt.decode(token(GOOD, without(CLAIMS, "validUntil")))
    assert jwt.credential["validUntil"] == "2124-05-01T10:00:00Z"
    assert vc_jwt.check_claims(jwt) == []


def vc_1_1(vc: JsonObject) -> VcJwt:
    return vc_jwt.decode(token(GOOD, {**{n: CLAIMS[n] for n in ("iss", "sub", "jti", "nbf", "exp")}, "vc": vc}))


OLD_CONTEXT = ["https://www.w3.org/2018/credentials/v1"]


def test_a_vc_claim_is_completed_from_the_registered_claims() -> None:
    jwt = vc_1_1({"@context": OLD_CONTEXT, "credentialSubject": {"type": "AchievementSubject"}})
    assert jwt.profile is Profile.VC_1_1
    assert jwt.credential == {
        "@context": OLD_CONTEXT,
        "id": CLAIMS["jti"],
        "issuer": CLAIMS["iss"],
        "issuanceDate": "2024-05-01T10:00:00Z",
        "expirationDate": "2124-05-01T10:00:00Z",
        "credentialSubject": {"id": CLAIMS["sub"], "type": "AchievementSubject"},
    }
    assert vc_jwt.check_claims(jwt) == []


def test_a_vc_claim_that_contradicts_the_registered_claims_is_reported() -> None:
    jwt = vc_1_1(
        {
            "@context": OLD_CONTEXT,
            "id": "urn:other",
            "issuer": {"id": "https://other.example"},
            "issuanceDate": "2020-01-01T00:00:00Z",
            "expirationDate": "2021-01-01T00:00:00Z",
            "credentialSubject": {"id": "did:example:eve"},
        }
    )
    assert [mismatch.claim for mismatch in vc_jwt.check_claims(jwt)] == ["iss", "sub", "jti", "nbf", "exp"]


def test_in_vc_jose_cose_exp_speaks_of_the_signature() -> None:
    compact = token({**GOOD, "typ": "vc+jwt"}, {**CREDENTIAL, "exp": 2000000000, "iat": 1714557600})
    jwt = vc_jwt.decode(compact)
    assert jwt.profile is Profile.JOSE_COSE
    assert jwt.credential == CREDENTIAL
    assert jwt.expires == datetime(2033, 5, 18, 3, 33, 20, tzinfo=UTC)
    assert vc_jwt.check_claims(jwt) == []


def test_in_vc_jose_cose_a_claim_that_is_there_must_match() -> None:
    assert mismatches(token({**GOOD, "typ": "application/vc+jwt"}, {**CREDENTIAL, "iss": "https://x"})) == ["iss"]


FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-01T10:00:00Z", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01T12:00:00+02:00", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01T10:00:00", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01T10:00:00.5Z", datetime(2024, 5, 1, 10, microsecond=500_000, tzinfo=UTC)),
        ("2024-05-01T10:00:00.123456789Z", datetime(2024, 5, 1, 10, microsecond=123_456, tzinfo=UTC)),
        ("2024-02-28T24:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
        ("2024-02-28T24:00:00.000+01:00", datetime(2024, 2, 28, 23, tzinfo=UTC)),
        ("2024-02-28T24:00:01Z", None),
        ("2024-02-28T24:00:00.001Z", None),
        ("9999-12-31T24:00:00Z", LAST),
        ("9999-12-31T23:59:59-05:00", LAST),
        ("10000-02-29T00:00:00Z", LAST),
        ("10001-02-29T00:00:00Z", None),
        ("010000-01-01T00:00:00Z", None),
        ("-0044-03-15T00:00:00Z", FIRST),
        ("0000-01-01T00:00:00Z", FIRST),
        ("0001-01-01T00:00:00+14:00", FIRST),
        ("2024-05-01T10:00:00+14:00", datetime(2024, 4, 30, 20, tzinfo=UTC)),
        ("2024-05-01T10:00:00+14:01", None),
        ("2024-05-01T10:00:60Z", None),
        ("2024-05-01T10:00Z", None),
        ("2024-05-01", None),
        ("2024-05-01 10:00:00Z", None),
        ("2024-13-01T10:00:00Z", None),
        ("2024-05-01T10:00:00+99:00", None),
        ("٢٠٢٤-05-01T10:00:00Z", None),
        (1714557600, None),
        (None, None),
    ],
)
def test_timestamps_are_read_as_xml_schema_writes_them(text: JsonValue, moment: datetime | None) -> None:
    assert parse_timestamp(text) == moment
