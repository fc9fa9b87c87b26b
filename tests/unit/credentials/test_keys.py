"""Key material: made, published, read back, signed and verified with; joserfc is the independent judge."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk as jose
from joserfc import jws

from lapel.credentials import keys
from lapel.credentials.jose import base64url
from lapel.domain.json import JsonValue
from lapel.domain.signing_key import KeyAlgorithm
from lapel.errors import LapelError

ALL = list(KeyAlgorithm)
PAIRS = {algorithm: keys.generate(algorithm) for algorithm in ALL}
JWKS = {algorithm: keys.jwk(pair.public_key) for algorithm, pair in PAIRS.items()}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def private_der(key: x25519.X25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize("algorithm", ALL)
def test_a_new_pair_signs_and_verifies(algorithm: KeyAlgorithm) -> None:
    pair = PAIRS[algorithm]
    signer = keys.LocalSigner(pair.private_key)

    signature = signer.sign(b"content")

    assert signer.algorithm is algorithm
    assert signer.public_key == pair.public_key
    keys.verify(keys.load_public(pair.public_key), signature=signature, data=b"content")


@pytest.mark.parametrize("algorithm", ALL)
def test_a_signature_fits_one_content_and_one_key_only(algorithm: KeyAlgorithm) -> None:
    signature = keys.LocalSigner(PAIRS[algorithm].private_key).sign(b"content")
    public = keys.load_public(PAIRS[algorithm].public_key)
    other = keys.load_public(keys.generate(algorithm).public_key)

    for key, changed, data in (
        (public, signature, b"Content"),
        (other, signature, b"content"),
        (public, signature[:-1] + bytes((signature[-1] ^ 1,)), b"content"),
        (public, signature[:-1], b"content"),
        (public, signature + b"\0", b"content"),
        (public, b"", b"content"),
    ):
        with pytest.raises(keys.SignatureInvalid):
            keys.verify(key, signature=changed, data=data)


def test_a_p256_signature_of_zeros_is_refused() -> None:
    public = keys.load_public(PAIRS[KeyAlgorithm.P256].public_key)
    with pytest.raises(keys.SignatureInvalid):
        keys.verify(public, signature=bytes(64), data=b"content")


def test_a_signature_with_p384_is_verified() -> None:
    private = ec.generate_private_key(ec.SECP384R1())
    jose_key = jose.ECKey.import_key(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    token = jws.serialize_compact({"alg": "ES384"}, b"content", jose_key, algorithms=["ES384"])
    signing_input, _, signature = token.rpartition(".")

    public = keys.from_jwk(dict(jose_key.as_dict(private=False)))

    keys.verify(public, signature=base64url.decode(signature), data=signing_input.encode())


def test_p384_is_for_verifying_only() -> None:
    private = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(keys.UnsupportedKey):
        keys.LocalSigner(private_der(private))


@pytest.mark.parametrize("algorithm", ALL)
def test_neither_pair_nor_signer_shows_the_private_half(algorithm: KeyAlgorithm) -> None:
    pair = PAIRS[algorithm]
    assert repr(pair.private_key) not in repr(pair)
    assert repr(keys.LocalSigner(pair.private_key)) == f"LocalSigner({algorithm})"


# --- Multikey ---


@pytest.mark.parametrize(("algorithm", "beginning"), [(KeyAlgorithm.ED25519, "z6Mk"), (KeyAlgorithm.P256, "zDna")])
def test_a_multikey_reads_back_as_the_same_key(algorithm: KeyAlgorithm, beginning: str) -> None:
    text = keys.multikey(PAIRS[algorithm].public_key)

    assert text.startswith(beginning)
    assert keys.public_der(keys.from_multikey(text)) == PAIRS[algorithm].public_key


def test_rsa_has_no_multikey() -> None:
    with pytest.raises(keys.UnsupportedKey):
        keys.multikey(PAIRS[KeyAlgorithm.RSA].public_key)


@given(st.text(max_size=80) | st.text(alphabet="z123ABCabc", max_size=80).map("z6Mk".__add__))
def test_any_text_as_multikey_raises_only_our_errors(text: str) -> None:
    with contextlib.suppress(LapelError):
        keys.from_multikey(text)


# --- JWK ---


@pytest.mark.parametrize("algorithm", ALL)
def test_a_jwk_is_what_joserfc_makes_of_the_key(algorithm: KeyAlgorithm) -> None:
    pem = keys.load_public(PAIRS[algorithm].public_key).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    kinds: dict[KeyAlgorithm, Any] = {
        KeyAlgorithm.ED25519: jose.OKPKey,
        KeyAlgorithm.P256: jose.ECKey,
        KeyAlgorithm.RSA: jose.RSAKey,
    }
    expected = kinds[algorithm].import_key(pem)

    assert JWKS[algorithm] == expected.as_dict(private=False)
    assert keys.jwk_thumbprint(JWKS[algorithm]) == expected.thumbprint()


@pytest.mark.parametrize("algorithm", ALL)
def test_a_jwk_reads_back_as_the_same_key(algorithm: KeyAlgorithm) -> None:
    published = keys.jwk(PAIRS[algorithm].public_key, kid="https://example.org/keys/1")

    assert published["kid"] == "https://example.org/keys/1"
    assert keys.public_der(keys.from_jwk(json.loads(json.dumps(published)))) == PAIRS[algorithm].public_key


def test_a_coordinate_with_leading_zeros_keeps_its_length() -> None:
    for _ in range(2000):
        public = ec.generate_private_key(ec.SECP256R1()).public_key()
        if public.public_numbers().x >> 248 == 0:
            break
    else:
        pytest.fail("no key with a leading zero in 2,000: the chance is 1 in 2,500")
    der = keys.public_der(public)

    x = keys.jwk(der)["x"]

    assert isinstance(x, str)
    assert len(base64url.decode(x)) == 32
    assert keys.public_der(keys.from_jwk(keys.jwk(der))) == der


def _rsa_jwk(bits: int, exponent: int = 65537) -> dict[str, JsonValue]:
    def integer(number: int) -> str:
        return base64url.encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))

    return {"kty": "RSA", "n": integer((1 << (bits - 1)) | 1), "e": integer(exponent)}


ED = dict(JWKS[KeyAlgorithm.ED25519])
EC = dict(JWKS[KeyAlgorithm.P256])


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param({}, id="empty"),
        pytest.param({"kty": "oct", "k": "AAAA"}, id="secret"),
        pytest.param({**ED, "d": "AAAA"}, id="private"),
        pytest.param({**ED, "use": "enc"}, id="for encryption"),
        pytest.param({**ED, "key_ops": ["sign"]}, id="to sign with"),
        pytest.param({**ED, "key_ops": "verify"}, id="operations that are no array"),
        pytest.param({**ED, "alg": "ES256"}, id="for another kind of key"),
        pytest.param({**EC, "alg": "ECDH-ES"}, id="for key agreement"),
        pytest.param({**_rsa_jwk(2048), "alg": "PS256"}, id="for another algorithm with the same key"),
        pytest.param({**ED, "crv": "Ed448"}, id="other Edwards curve"),
        pytest.param({**ED, "crv": "X25519"}, id="key agreement"),
        pytest.param({**ED, "x": "AAAA"}, id="too short"),
        pytest.param({**ED, "x": f"{ED['x']}="}, id="padded"),
        pytest.param({**ED, "x": None}, id="no x"),
        pytest.param({**EC, "crv": "secp256k1"}, id="other curve"),
        pytest.param({**EC, "crv": "P-384"}, id="curve of another size"),
        pytest.param({**EC, "y": EC["x"]}, id="not on the curve"),
        pytest.param({**EC, "x": "AA"}, id="short coordinate"),
        pytest.param(_rsa_jwk(1024), id="RSA of 1024 bits"),
        pytest.param(_rsa_jwk(8200), id="RSA of 8200 bits"),
        pytest.param(_rsa_jwk(2048, exponent=1), id="RSA exponent 1"),
        pytest.param(_rsa_jwk(2048, exponent=2**40 + 1), id="RSA exponent beyond reason"),
        pytest.param({"kty": ["RSA"], "crv": {}}, id="wrong types"),
    ],
)
def test_a_jwk_that_is_not_on_the_list_is_refused(jwk: dict[str, JsonValue]) -> None:
    with pytest.raises((keys.InvalidKey, keys.UnsupportedKey)):
        keys.from_jwk(jwk)


@pytest.mark.parametrize(
    "jwk",
    [
        {**ED, "use": "sig", "key_ops": ["sign", "verify"], "alg": "EdDSA"},
        {**ED, "alg": "Ed25519"},
        {**EC, "alg": "ES256"},
        {**_rsa_jwk(2048), "alg": "RS256"},
    ],
)
def test_a_jwk_may_say_what_it_is_for(jwk: dict[str, JsonValue]) -> None:
    """RFC 7517, 4.2 to 4.4."""
    assert keys.from_jwk(jwk)


@pytest.mark.parametrize("bits", [2048, 8192])
def test_rsa_keys_of_both_limits_are_read(bits: int) -> None:
    key = keys.from_jwk(_rsa_jwk(bits))
    assert keys.algorithm_of(key) is KeyAlgorithm.RSA


@given(st.sampled_from(ALL), st.sampled_from(["kty", "crv", "x", "y", "n", "e", "use", "key_ops", "alg"]), json_values)
def test_any_member_of_a_jwk_raises_only_our_errors(algorithm: KeyAlgorithm, member: str, value: JsonValue) -> None:
    try:
        keys.from_jwk({**JWKS[algorithm], member: value})
        keys.jwk_thumbprint({**JWKS[algorithm], member: value})
    except LapelError:
        pass


# --- DER ---


def test_keys_that_are_not_on_the_list_are_refused() -> None:
    agreement = x25519.X25519PrivateKey.generate()
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - to be refused
    other_curve = ec.generate_private_key(ec.SECP256K1())
    for private in (agreement, small, other_curve):
        with pytest.raises(keys.UnsupportedKey):
            keys.LocalSigner(private_der(private))
        with pytest.raises(keys.UnsupportedKey):
            keys.load_public(
                private.public_key().public_bytes(
                    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
                )
            )


def test_an_rsa_key_is_checked_unless_it_was_before() -> None:
    numbers = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()
    unsound = rsa.RSAPrivateNumbers(
        p=numbers.p,
        q=numbers.q,
        d=numbers.d,
        dmp1=numbers.dmp1 + 2,
        dmq1=numbers.dmq1,
        iqmp=numbers.iqmp,
        public_numbers=numbers.public_numbers,
    )
    der = private_der(unsound.private_key(unsafe_skip_rsa_key_validation=True))
    with pytest.raises(keys.InvalidKey):
        keys.LocalSigner(der)
    assert keys.LocalSigner(der, checked=True).algorithm is KeyAlgorithm.RSA


@given(st.binary(max_size=100), st.integers(0, 90), st.sampled_from(ALL))
def test_damaged_der_raises_only_our_errors(noise: bytes, cut: int, algorithm: KeyAlgorithm) -> None:
    der = PAIRS[algorithm].public_key
    for data in (noise, der[:cut] + noise, der[:cut] + noise + der[cut + len(noise) :]):
        with contextlib.suppress(LapelError):
            keys.load_public(data)
        with contextlib.suppress(LapelError):
            keys.LocalSigner(data)
