"""VC-JWT: what we write others verify, what others write we verify, and nothing else gets through."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk as jose
from joserfc import jws
from openbadgeslib.ob3 import credential as oracle
from openbadgeslib.ob3 import signer as oracle_signer
from openbadgeslib.ob3 import verifier as oracle_verifier

from lapel.credentials import keys
from lapel.credentials.jose import vc_jwt
from lapel.credentials.jose.vc_jwt import InvalidJwt, Profile, SignatureInvalid, UnsupportedJwt
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.signing_key import KeyAlgorithm
from lapel.errors import LapelError, TooLarge
from tests.support.vc_jwt_tokens import CLAIMS, CREDENTIAL, GOOD, KID, token, without

ALL = list(KeyAlgorithm)
PAIRS = {algorithm: keys.generate(algorithm) for algorithm in ALL}
SIGNERS = {algorithm: keys.LocalSigner(pair.private_key) for algorithm, pair in PAIRS.items()}
ALG = {KeyAlgorithm.ED25519: "EdDSA", KeyAlgorithm.P256: "ES256", KeyAlgorithm.RSA: "RS256"}


def encode(
    credential: JsonObject = CREDENTIAL,
    *,
    algorithm: KeyAlgorithm = KeyAlgorithm.ED25519,
    public_jwk: JsonObject | None = None,
) -> str:
    return vc_jwt.encode(credential, kid=KID, algorithm=algorithm, sign=SIGNERS[algorithm].sign, public_jwk=public_jwk)


def pem(algorithm: KeyAlgorithm) -> bytes:
    private = serialization.load_der_private_key(PAIRS[algorithm].private_key, None)
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public(algorithm: KeyAlgorithm) -> keys.PublicKey:
    return keys.load_public(PAIRS[algorithm].public_key)


def public_pem(algorithm: KeyAlgorithm) -> bytes:
    return public(algorithm).public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def jose_key(algorithm: KeyAlgorithm) -> Any:
    kinds: dict[KeyAlgorithm, Any] = {
        KeyAlgorithm.ED25519: jose.OKPKey,
        KeyAlgorithm.P256: jose.ECKey,
        KeyAlgorithm.RSA: jose.RSAKey,
    }
    return kinds[algorithm].import_key(pem(algorithm))


# --- round trips and oracles ---

RFC_9864 = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # `alg` of Open Badges, not to be changed


@pytest.mark.parametrize("algorithm", ALL)
def test_what_is_written_is_read_verified_and_consistent(algorithm: KeyAlgorithm) -> None:
    jwt = vc_jwt.decode(encode(algorithm=algorithm))

    vc_jwt.verify_signature(jwt, public(algorithm))
    assert jwt.credential == CREDENTIAL
    assert jwt.profile is Profile.OPEN_BADGES
    assert (jwt.algorithm, jwt.kid, jwt.jwk) == (algorithm, KID, None)
    assert jwt.header == {"alg": ALG[algorithm], "kid": KID, "typ": "JWT"}
    assert jwt.not_before == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert jwt.expires == datetime(2124, 5, 1, 10, tzinfo=UTC)
    assert vc_jwt.check_claims(jwt) == []


def test_the_claims_are_the_credential_and_the_registered_claims() -> None:
    jwt = vc_jwt.decode(encode())
    assert jwt.claims == {
        **CREDENTIAL,
        "iss": "https://badges.example.org/v3/issuers/1",
        "sub": "did:example:ada",
        "jti": "https://badges.example.org/v3/credentials/1",
        "nbf": 1714557600,
        "exp": 4870231200,
    }


def test_a_recipient_known_by_an_identifier_gives_no_sub() -> None:
    subject: JsonObject = {"type": ["AchievementSubject"], "identifier": [{"type": "IdentityObject"}]}
    jwt = vc_jwt.decode(encode({**CREDENTIAL, "credentialSubject": subject}))
    assert "sub" not in jwt.claims
    assert vc_jwt.check_claims(jwt) == []


def test_dates_with_a_fraction_are_cut_to_seconds_and_still_match() -> None:
    jwt = vc_jwt.decode(encode({**CREDENTIAL, "validFrom": "2024-05-01T10:00:00.999Z"}))
    assert jwt.claims["nbf"] == 1714557600
    assert vc_jwt.check_claims(jwt) == []


@RFC_9864
@pytest.mark.parametrize("algorithm", ALL)
def test_joserfc_verifies_what_is_written(algorithm: KeyAlgorithm) -> None:
    verified = jws.deserialize_compact(encode(algorithm=algorithm), jose_key(algorithm), algorithms=[ALG[algorithm]])
    assert json.loads(verified.payload)["id"] == CREDENTIAL["id"]


@RFC_9864
@pytest.mark.parametrize("algorithm", ALL)
def test_what_joserfc_signs_is_verified(algorithm: KeyAlgorithm) -> None:
    claims = vc_jwt.decode(encode()).claims
    compact = jws.serialize_compact(
        {"alg": ALG[algorithm], "kid": KID},
        json.dumps(claims),
        jose_key(algorithm),
        algorithms=[ALG[algorithm]],
    )
    jwt = vc_jwt.decode(compact)
    vc_jwt.verify_signature(jwt, public(algorithm))
    assert vc_jwt.check_claims(jwt) == []


@pytest.mark.parametrize("algorithm", ALL)
def test_openbadgeslib_verifies_what_is_written(algorithm: KeyAlgorithm) -> None:
    compact = encode(algorithm=algorithm, public_jwk=keys.jwk(PAIRS[algorithm].public_key))
    verified = oracle_verifier.OB3Verifier(public_pem(algorithm)).verify(compact, "did:example:ada")
    assert verified.id == CREDENTIAL["id"]


@pytest.mark.parametrize("algorithm", ALL)
def test_what_openbadgeslib_signs_is_verified(algorithm: KeyAlgorithm) -> None:
    award = oracle.OpenBadgeCredential(
        issuer=oracle.Issuer(id="https://example.org/issuer", name="Issuer"),
        achievement=oracle.Achievement(id="https://example.org/a", name="A", description="d", criteria_narrative="c"),
        recipient_id="mailto:ada@example.org",
    )
    compact = oracle_signer.OB3Signer(pem(algorithm), algorithm=ALG[algorithm]).sign(award)

    jwt = vc_jwt.decode(compact)

    assert jwt.jwk is not None
    assert jwt.kid is None
    assert keys.public_der(keys.from_jwk(jwt.jwk)) == PAIRS[algorithm].public_key
    vc_jwt.verify_signature(jwt, public(algorithm))
    assert vc_jwt.check_claims(jwt) == []


# --- signatures ---


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_changed_part_is_noticed(part: int) -> None:
    parts = encode().split(".")
    other = vc_jwt.encode(
        {**CREDENTIAL, "name": "x"},
        kid=KID + "0",
        algorithm=KeyAlgorithm.ED25519,
        sign=SIGNERS[KeyAlgorithm.ED25519].sign,
    ).split(".")
    parts[part] = other[part]
    with pytest.raises(SignatureInvalid):
        vc_jwt.verify_signature(vc_jwt.decode(".".join(parts)), public(KeyAlgorithm.ED25519))


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("other", ALL)
def test_a_key_of_another_kind_is_no_key(algorithm: KeyAlgorithm, other: KeyAlgorithm) -> None:
    jwt = vc_jwt.decode(encode(algorithm=algorithm))
    if other is algorithm:
        vc_jwt.verify_signature(jwt, public(other))
    else:
        with pytest.raises(SignatureInvalid):
            vc_jwt.verify_signature(jwt, public(other))


# --- refused ---


def test_eddsa_is_read_under_the_name_of_rfc_9864_too() -> None:
    claims = json.dumps(vc_jwt.decode(encode()).claims)
    compact = jws.serialize_compact(
        {"alg": "Ed25519", "kid": KID}, claims, jose_key(KeyAlgorithm.ED25519), algorithms=["Ed25519"]
    )
    vc_jwt.verify_signature(vc_jwt.decode(compact), public(KeyAlgorithm.ED25519))


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "RS1", "PS256", "ES384", "rs256", "", None, 5, ["EdDSA"]])
def test_other_algorithms_are_refused(alg: JsonValue) -> None:
    with pytest.raises(UnsupportedJwt):
        vc_jwt.decode(token({"alg": alg}, {}))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "EdDSA", "crit": ["exp"]},
        {"alg": "EdDSA", "crit": None},
        {"alg": "EdDSA", "crit": []},
        {"alg": "EdDSA", "crit": ["b64"], "b64": True},
        {"alg": "EdDSA", "b64": False},
        {"alg": "EdDSA", "b64": None},
        {"alg": "EdDSA", "b64": 0},
        {"alg": "EdDSA", "b64": "true"},
        {"alg": "EdDSA", "typ": "vp+jwt"},
        {"alg": "EdDSA", "typ": "at+jwt"},
        {"alg": "EdDSA", "typ": "JOSE"},
        {"alg": "EdDSA", "typ": None},
        {"typ": "JWT"},
    ],
)
def test_other_kinds_of_token_are_refused(header: JsonObject) -> None:
    with pytest.raises(UnsupportedJwt):
        vc_jwt.decode(token(header, {}))


@pytest.mark.parametrize(
    "compact",
    [
        pytest.param("", id="nothing"),
        pytest.param("a.b", id="two parts"),
        pytest.param("a.b.c.d.e", id="five parts"),
        pytest.param("..", id="empty parts"),
        pytest.param(token(GOOD, {}) + "=", id="padding"),
        pytest.param(token(GOOD, {}).replace("e", "é"), id="not ASCII"),
        pytest.param(token(GOOD, {}) + "\n", id="line end"),
        pytest.param(token(GOOD, {}, signature=bytes(10))[:-1] + "5", id="left-over bits"),
        pytest.param(token([], {}), id="header is a list"),
        pytest.param(token(GOOD, []), id="claims are a list"),
        pytest.param(token(GOOD, b"{"), id="not JSON"),
        pytest.param(token(GOOD, b"\xff{}"), id="not UTF-8"),
        pytest.param(token(GOOD, b"\xef\xbb\xbf{}"), id="byte order mark"),
        pytest.param(token(GOOD, b'{"id":1,"id":2}'), id="duplicate claim"),
        pytest.param(token(GOOD, b'{"a":[{"id":1,"\\u0069d":2}]}'), id="duplicate inside, escaped"),
        pytest.param(token(b'{"alg":"EdDSA","alg":"EdDSA"}', {}), id="duplicate in header"),
        pytest.param(token(GOOD, b'{"a":NaN}'), id="NaN"),
        pytest.param(token(GOOD, b'{"a":1e999}'), id="too large"),
        pytest.param(token(GOOD, b'{"a":' + b"9" * 400 + b"}"), id="too long"),
        pytest.param(token(GOOD, b'{"a":"\\ud800"}'), id="half a surrogate pair"),
        pytest.param(token(GOOD, b'{"\\udfff":1}'), id="half a surrogate pair as a name"),
        pytest.param(token(GOOD, b'{"a":' * 100 + b"1" + b"}" * 100), id="deep"),
        pytest.param(token(GOOD, b'{"a":' + b"[" * 100_000), id="very deep"),
        pytest.param(token({**GOOD, "kid": 1}, {}), id="kid is a number"),
        pytest.param(token({**GOOD, "jwk": "x"}, {}), id="jwk is a text"),
        pytest.param(token(GOOD, {"nbf": "1714557600"}), id="nbf is a text"),
        pytest.param(token(GOOD, {"exp": True}), id="exp is a truth value"),
        pytest.param(token(GOOD, {"exp": 10**18}), id="exp is beyond the year 9999"),
        pytest.param(token(GOOD, {"vc": {}, "@context": []}), id="vc claim beside a credential"),
        pytest.param(token(GOOD, {"vc": "x"}), id="vc claim is a text"),
        pytest.param(token({**GOOD, "typ": "vc+jwt"}, {"vc": {}}), id="vc claim in vc+jwt"),
    ],
)
def test_what_can_be_read_in_two_ways_or_none_is_refused(compact: str) -> None:
    with pytest.raises(InvalidJwt):
        vc_jwt.decode(compact)


def test_a_presentation_is_not_a_credential() -> None:
    with pytest.raises(UnsupportedJwt):
        vc_jwt.decode(token(GOOD, {"vp": {}}))


def test_sizes_are_bounded() -> None:
    with pytest.raises(TooLarge):
        vc_jwt.decode("a" * 101, max_characters=100)
    with pytest.raises(TooLarge):
        vc_jwt.decode(token({**GOOD, "x": "y" * 20_000}, {}))


@pytest.mark.parametrize(
    "credential",
    [
        without(CREDENTIAL, "id"),
        without(CREDENTIAL, "issuer"),
        without(CREDENTIAL, "validFrom"),
        {**CREDENTIAL, "validFrom": "yesterday"},
        {**CREDENTIAL, "validUntil": "2024-13-01T00:00:00Z"},
        {**CREDENTIAL, "iss": "https://other.example"},
        {**CREDENTIAL, "vc": {}},
        {**CREDENTIAL, "name": "\ud800"},
        {**CREDENTIAL, "weight": float("nan")},
    ],
)
def test_what_cannot_be_written_is_refused(credential: JsonObject) -> None:
    with pytest.raises(vc_jwt.UnencodableCredential):
        encode(credential)


def test_a_private_key_never_gets_into_the_header() -> None:
    with pytest.raises(keys.InvalidKey):
        encode(public_jwk={**keys.jwk(PAIRS[KeyAlgorithm.ED25519].public_key), "d": "AAAA"})


def test_the_key_in_the_header_is_of_the_signing_algorithm() -> None:
    with pytest.raises(vc_jwt.UnencodableCredential):
        encode(public_jwk=keys.jwk(PAIRS[KeyAlgorithm.P256].public_key))


# --- anything at all ---

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def read_completely(compact: str) -> None:
    with contextlib.suppress(LapelError):
        jwt = vc_jwt.decode(compact)
        vc_jwt.check_claims(jwt)
        vc_jwt.verify_signature(jwt, public(KeyAlgorithm.ED25519))


@given(st.dictionaries(st.sampled_from(sorted(CLAIMS)), json_values), st.sampled_from(["JWT", "vc+jwt"]), st.booleans())
def test_claims_of_any_value_raise_only_our_errors(changed: dict[str, JsonValue], typ: str, inside: bool) -> None:
    claims = {**CLAIMS, **changed}
    read_completely(token({**GOOD, "typ": typ}, {**without(claims, "@context"), "vc": claims} if inside else claims))


@given(st.dictionaries(st.sampled_from(["alg", "typ", "kid", "jwk", "crit"]), json_values))
def test_headers_of_any_value_raise_only_our_errors(changed: dict[str, JsonValue]) -> None:
    read_completely(token({**GOOD, **changed}, CLAIMS))


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=80), st.text(max_size=5))
def test_parts_of_any_bytes_raise_only_our_errors(header: bytes, claims: bytes, signature: bytes, end: str) -> None:
    read_completely(token(header, claims, signature=signature) + end)


@given(st.integers(0, 10_000), st.characters())
def test_a_token_with_one_character_changed_raises_only_our_errors(position: int, character: str) -> None:
    compact = encode()
    position %= len(compact)
    changed = compact[:position] + character + compact[position + 1 :]
    read_completely(changed)
    if changed != compact:
        with pytest.raises(LapelError):
            vc_jwt.verify_signature(vc_jwt.decode(changed), public(KeyAlgorithm.ED25519))
