"""The master key: envelopes open for the right key and the right record, and for nothing else."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapel.credentials.key_storage.master_key import InvalidMasterKey, MasterKey, UnreadableEnvelope, WrongMasterKey
from lapel.errors import LapelError

SECRET = bytes(range(32))
KEY = MasterKey(SECRET)


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_an_envelope_opens_with_the_same_key_and_record(private: bytes, record: bytes) -> None:
    envelope = KEY.wrap(private, associated_data=record)
    assert MasterKey(SECRET).unwrap(envelope, associated_data=record) == private


def test_two_envelopes_of_one_secret_differ() -> None:
    assert KEY.wrap(b"secret", associated_data=b"") != KEY.wrap(b"secret", associated_data=b"")


def test_another_master_key_is_named_as_such() -> None:
    envelope = KEY.wrap(b"secret", associated_data=b"key 1")
    with pytest.raises(WrongMasterKey):
        MasterKey.generate().unwrap(envelope, associated_data=b"key 1")


def test_an_envelope_moved_to_another_record_does_not_open() -> None:
    envelope = KEY.wrap(b"secret", associated_data=b"key 1")
    with pytest.raises(UnreadableEnvelope):
        KEY.unwrap(envelope, associated_data=b"key 2")


def test_every_changed_bit_is_noticed() -> None:
    envelope = KEY.wrap(b"secret", associated_data=b"key 1")
    for position in range(len(envelope) * 8):
        changed = bytearray(envelope)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises((WrongMasterKey, UnreadableEnvelope)):
            KEY.unwrap(bytes(changed), associated_data=b"key 1")


@given(st.binary(max_size=80), st.integers(0, 60))
def test_any_bytes_as_envelope_raise_only_our_errors(noise: bytes, cut: int) -> None:
    envelope = KEY.wrap(b"secret", associated_data=b"")
    for data in (noise, envelope[:cut], envelope[:cut] + noise):
        with pytest.raises(LapelError):
            KEY.unwrap(data, associated_data=b"x")


@pytest.mark.parametrize(
    "text",
    [
        SECRET.hex(),
        SECRET.hex().upper(),
        f"  {SECRET.hex()}\n",
        base64.b64encode(SECRET).decode(),
        base64.b64encode(SECRET).decode().rstrip("="),
        base64.urlsafe_b64encode(SECRET).decode(),
        base64.urlsafe_b64encode(SECRET).decode().rstrip("="),
    ],
)
def test_each_way_to_write_it_gives_the_same_key(text: str) -> None:
    assert MasterKey.parse(text).to_text() == SECRET.hex()


@pytest.mark.parametrize(
    "text", ["", "   ", "secret", SECRET.hex()[:-2], SECRET.hex() + "00", "x" * 64, "é" * 43, "00" * 32, "A" * 43]
)
def test_what_is_no_master_key_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(InvalidMasterKey) as caught:
        MasterKey.parse(text)
    assert caught.value.hint
    assert not text.strip() or text.strip() not in f"{caught.value.detail}{caught.value.__cause__}"


@given(st.text(max_size=70))
def test_any_text_as_master_key_raises_only_our_errors(text: str) -> None:
    with contextlib.suppress(InvalidMasterKey):
        MasterKey.parse(text)


def test_the_check_value_tells_the_wrong_key() -> None:
    kept = KEY.check_value()
    MasterKey(SECRET).check(kept)
    with pytest.raises(WrongMasterKey):
        MasterKey.generate().check(kept)


def test_derived_keys_differ_by_purpose_and_never_meet_our_own() -> None:
    derived = {KEY.derive(purpose) for purpose in (b"", b"recipients", b"check value", b"wrap", b"key id")}
    assert len(derived | {KEY.check_value(), SECRET}) == 7
    assert KEY.derive(b"recipients") == MasterKey(SECRET).derive(b"recipients")


def test_what_is_derived_never_changes() -> None:
    # A change here would lose every look-up column and lock out every database.
    assert KEY.derive(b"recipients").hex() == PINNED_RECIPIENTS
    assert KEY.check_value().hex() == PINNED_CHECK_VALUE
    assert KEY.unwrap(bytes.fromhex(PINNED_ENVELOPE), associated_data=b"key 1") == b"secret"


PINNED_RECIPIENTS = "4f82b8e538e821f6ddd13fde96233547fa4fc3a1f91d91ad287ff09015f3a0d7"
PINNED_CHECK_VALUE = "d1af9b053de1cbc3d5c68ac11303a99de2acbf7b3d01a6a12ba4d330b2b4910e"
PINNED_ENVELOPE = "01aac39e26ce923dd56bcd40598e0634b5c407b999dda069d2836e8203541d86867fdeb090c839808c850e"


def test_it_does_not_show_itself() -> None:
    assert SECRET.hex() not in repr(KEY)
    assert repr(SECRET) not in repr(KEY)
