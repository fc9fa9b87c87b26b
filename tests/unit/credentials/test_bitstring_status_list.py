"""Bitstring Status List 1.0: bits, encodings, allocation, documents; openbadgeslib is the independent judge."""

from __future__ import annotations

import base64
import contextlib
import gzip
import itertools
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openbadgeslib.ob3 import status as oracle_reader
from openbadgeslib.ob3 import status_list as oracle_writer

from lapel.credentials import bitstring_status_list as status_list
from lapel.credentials import status_list_2021
from lapel.credentials.bitstring_status_list import (
    InvalidStatusEntry,
    InvalidStatusList,
    OutsideStatusList,
    StatusEntry,
)
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.status_list import LIST_LENGTH, StatusPurpose
from lapel.errors import LapelError, TooLarge

URL = "https://badges.example.org/v3/status-lists/1"
SEED = bytes(range(16))
indices = st.sets(st.integers(0, LIST_LENGTH - 1), max_size=30)


def multibase(compressed: bytes) -> str:
    return "u" + base64.urlsafe_b64encode(compressed).rstrip(b"=").decode()


# --- bits ---


def test_the_first_bit_is_the_left_most() -> None:
    bits = status_list.from_indices([0, 9, LIST_LENGTH - 1])
    assert (bits[0], bits[1], bits[-1]) == (0b1000_0000, 0b0100_0000, 0b0000_0001)
    assert len(bits) == 16 * 1024


@given(indices)
def test_what_is_set_and_only_that_reads_as_one(chosen: set[int]) -> None:
    bits = status_list.decode(status_list.encode(status_list.from_indices(chosen)))
    near = {index + step for index in chosen for step in (-1, 0, 1) if 0 <= index + step < LIST_LENGTH}
    assert {index for index in near if status_list.read(bits, index)} == chosen
    assert sum(byte.bit_count() for byte in bits) == len(chosen)


def test_entries_of_several_bits_are_read_at_index_times_size() -> None:
    bits = bytes((0b0001_1011, 0b1110_0100, 0b1010_1010))
    assert [status_list.read(bits, index, size=2) for index in range(4)] == [0, 1, 2, 3]
    assert status_list.read(bits, 1, size=8) == 0b1110_0100
    assert status_list.read(bits, 1, size=12) == 0b0100_1010_1010
    assert status_list.read(bits, 2, size=3) == 0b111


@pytest.mark.parametrize(("index", "size"), [(-1, 1), (24, 1), (12, 2), (8, 3), (0, 0), (0, 33), (10**30, 1)])
def test_an_entry_outside_of_the_list_is_an_error(index: int, size: int) -> None:
    with pytest.raises(InvalidStatusEntry):
        status_list.read(bytes(3), index, size=size)


@pytest.mark.parametrize("index", [-1, LIST_LENGTH])
def test_no_bit_outside_of_the_list_can_be_set(index: int) -> None:
    with pytest.raises(InvalidStatusList):
        status_list.from_indices([index])


@pytest.mark.parametrize("length", [0, LIST_LENGTH - 8, LIST_LENGTH + 1])
def test_a_list_too_short_for_privacy_is_not_made(length: int) -> None:
    with pytest.raises(InvalidStatusList):
        status_list.from_indices([], length=length)


# --- encoding ---


@given(indices)
@settings(max_examples=30)
def test_openbadgeslib_reads_what_is_written_and_the_other_way(chosen: set[int]) -> None:
    bits = status_list.from_indices(chosen)
    assert oracle_reader.decode_encoded_list(status_list.encode(bits)) == bits
    assert status_list.decode(oracle_writer.encode_bitstring(chosen)) == bits


@pytest.mark.parametrize(
    ("encoded", "entries"),
    [
        # Bitstring Status List 1.0, 2.2 and Appendix A; Status List 2021, 4.2, writes it without the `u`.
        pytest.param(
            "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA", 131_072, id="specification"
        ),
        # A list of 100,000 entries is in use, and too short for anybody's privacy.
        pytest.param("uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQsvoAAAAAAAAAAAAAAAAP4GcwM92tQwAAA", None, id="too short"),
    ],
)
def test_the_specifications_example_is_decoded(encoded: str, entries: int | None) -> None:
    if entries is None:
        with pytest.raises(InvalidStatusList, match="131,072"):
            status_list.decode(encoded)
        return
    bits = status_list.decode(encoded)
    assert bits == bytes(entries // 8)
    assert bits == status_list_2021.decode(encoded[1:])
    assert [status_list.read(bits, index) for index in (0, 23_452, 94_567, 131_071)] == [0, 0, 0, 0]
    with pytest.raises(InvalidStatusEntry):
        status_list.read(bits, entries)


@pytest.mark.parametrize(
    ("encoded", "indices"),
    [
        # Lists with a set bit that others publish as their examples: one of 1EdTech's, one of 2021.
        ("uH4sIAAAAAAAA_-3BMQEAAAzDoMy_6cnoA9QFAAAAAAAAAAAAAAAAAAAAbD3uPa2cAEAAAA", [23]),
        ("uH4sIAAAAAAAA_-3BMQ0AAAACIGf_0MbwARoAAAAAAAAAAAAAAAAAAADgbbmHB0sAQAAA", [6]),
    ],
)
def test_lists_that_others_publish_are_decoded_as_an_independent_library_does(encoded: str, indices: list[int]) -> None:
    bits = status_list.decode(encoded)
    found = {index for index in range(len(bits) * 8) if status_list.read(bits, index)}
    assert found == oracle_reader.set_indices(oracle_reader.decode_encoded_list(encoded)) == set(indices)


def test_the_specifications_entries_are_read() -> None:
    plain = {
        "id": "https://example.com/credentials/status/3#94567",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "94567",
        "statusListCredential": "https://example.com/credentials/status/3",
    }
    messages = [(0, "pending_review"), (1, "accepted"), (2, "rejected"), (3, "undefined")]
    of_messages: JsonObject = {
        "id": "https://example.com/credentials/status/8#492847",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "message",
        "statusListIndex": "492847",
        "statusSize": 2,
        "statusListCredential": "https://example.com/credentials/status/8",
        "statusMessage": [{"status": hex(status), "message": message} for status, message in messages],
        "statusReference": "https://example.org/status-dictionary/",
    }
    assert status_list.parse_entry(plain) == StatusEntry(
        purpose="revocation", index=94567, list_url="https://example.com/credentials/status/3"
    )
    assert status_list.parse_entry(of_messages) == StatusEntry(
        purpose="message",
        index=492847,
        list_url="https://example.com/credentials/status/8",
        size=2,
        messages=dict(messages),
    )


def test_an_index_may_be_larger_than_any_list_which_is_for_the_list_to_say() -> None:
    entry = status_list.parse_entry({**ENTRY, "statusListIndex": "9" * 40})

    with pytest.raises(OutsideStatusList):
        status_list.read(status_list.from_indices([]), entry.index)


@given(indices)
@settings(max_examples=20)
def test_a_list_of_2021_is_the_same_in_plain_base64(chosen: set[int]) -> None:
    bits = status_list.from_indices(chosen)
    compressed = gzip.compress(bits, mtime=0)
    padded = base64.b64encode(compressed).decode()
    unpadded = base64.urlsafe_b64encode(compressed).decode().rstrip("=")
    assert status_list_2021.decode(padded) == status_list_2021.decode(unpadded) == bits
    assert oracle_reader.decode_encoded_list(padded) == bits
    with pytest.raises(InvalidStatusList):
        status_list.decode(padded)


def test_an_entry_of_2021_is_of_one_bit_and_has_its_own_type() -> None:
    entry = {**ENTRY, "type": "StatusList2021Entry", "statusSize": 2}
    assert status_list_2021.parse_entry(entry) == StatusEntry(purpose="revocation", index=7, list_url=URL)
    for wrong in (ENTRY, {**entry, "statusListIndex": 7}, {**entry, "statusPurpose": None}):
        with pytest.raises(InvalidStatusEntry):
            status_list_2021.parse_entry(wrong)


def test_the_same_bits_give_the_same_text() -> None:
    bits = status_list.from_indices([5])
    encoded = status_list.encode(bits)
    assert encoded == status_list.encode(status_list.from_indices([5]))
    raw = base64.urlsafe_b64decode(encoded[1:] + "=" * (-len(encoded[1:]) % 4))
    assert raw[:10] == b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
    assert gzip.decompress(raw) == bits


def test_a_gzip_with_name_and_time_is_read() -> None:
    compressed = gzip.compress(bytes(16384), mtime=1_700_000_000)
    named = compressed[:3] + b"\x08" + compressed[4:10] + b"list.bin\0" + compressed[10:]
    assert status_list.decode(multibase(named)) == bytes(16384)


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param("", id="nothing"),
        pytest.param("u", id="no content"),
        pytest.param(multibase(gzip.compress(bytes(16384)))[1:], id="no multibase letter"),
        pytest.param("z" + multibase(gzip.compress(bytes(16384)))[1:], id="another base"),
        pytest.param(multibase(gzip.compress(bytes(16384))) + "=", id="padded"),
        pytest.param(multibase(gzip.compress(bytes(16384))).replace("A", "+", 1), id="plain base64"),
        pytest.param(multibase(zlib.compress(bytes(16384))), id="zlib, not GZIP"),
        pytest.param(multibase(bytes(16384)), id="not compressed"),
        pytest.param(multibase(gzip.compress(bytes(16384))[:-1]), id="cut off"),
        pytest.param(multibase(gzip.compress(bytes(16384)) + b"x"), id="with something behind"),
        pytest.param(multibase(gzip.compress(bytes(16384)) * 2), id="two members"),
        pytest.param(multibase(gzip.compress(bytes(16384))[:-8] + bytes(8)), id="wrong check sum"),
        pytest.param(multibase(gzip.compress(bytes(16383))), id="too few entries"),
    ],
)
def test_what_is_not_a_status_list_is_refused(encoded: str) -> None:
    with pytest.raises(InvalidStatusList):
        status_list.decode(encoded)


def test_entries_of_several_bits_need_a_longer_list() -> None:
    encoded = multibase(gzip.compress(bytes(16384)))
    with pytest.raises(InvalidStatusList):
        status_list.decode(encoded, size=2)


def test_a_bomb_is_refused_before_it_grows() -> None:
    bomb = multibase(gzip.compress(bytes(64 * 1024 * 1024)))
    with pytest.raises(TooLarge):
        status_list.decode(bomb)
    with pytest.raises(TooLarge):
        status_list.decode("u" + "A" * 10_000_000)


def test_a_list_of_exactly_the_limit_is_read() -> None:
    bits = bytes(20_000)
    encoded = status_list.encode(bits)
    assert status_list.decode(encoded, max_bytes=20_000) == bits
    with pytest.raises(TooLarge):
        status_list.decode(encoded, max_bytes=19_999)


@given(st.binary(max_size=60), st.integers(0, 60), st.text(max_size=20))
def test_anything_as_a_list_raises_only_our_errors(noise: bytes, cut: int, text: str) -> None:
    good = gzip.compress(bytes(16384), mtime=0)
    for encoded in (multibase(noise), multibase(good[:cut] + noise + good[cut:]), "u" + text, text):
        with contextlib.suppress(LapelError):
            status_list.decode(encoded)


# --- allocation ---


@pytest.mark.parametrize("length", [2, 3, 5, 8, 100, 1000, 4096])
def test_positions_and_indices_are_one_to_one(length: int) -> None:
    found = [status_list.permuted_index(position, seed=SEED, length=length) for position in range(length)]
    assert sorted(found) == list(range(length))


def test_a_whole_list_is_handed_out_once_each() -> None:
    found = {status_list.permuted_index(position, seed=SEED) for position in range(LIST_LENGTH)}
    assert found == set(range(LIST_LENGTH))


@given(st.binary(min_size=16, max_size=64), st.integers(2, 500))
@settings(max_examples=30)
def test_it_is_a_permutation_for_any_seed_and_length(seed: bytes, length: int) -> None:
    found = {status_list.permuted_index(position, seed=seed, length=length) for position in range(length)}
    assert found == set(range(length))


def test_neighbours_in_time_are_not_neighbours_in_the_list() -> None:
    found = [status_list.permuted_index(position, seed=SEED) for position in range(2000)]
    steps = [abs(after - before) for before, after in itertools.pairwise(found)]
    # Of two random indices the mean distance is a third of the length.
    assert 0.31 * LIST_LENGTH < sum(steps) / len(steps) < 0.36 * LIST_LENGTH
    assert sum(step < 64 for step in steps) < 10
    # Each bit of the index is set half of the time.
    for bit in range(17):
        assert 880 < sum(index >> bit & 1 for index in found) < 1120


def test_another_seed_gives_another_order() -> None:
    first = [status_list.permuted_index(position, seed=SEED) for position in range(100)]
    second = [status_list.permuted_index(position, seed=SEED[::-1]) for position in range(100)]
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 3


def test_the_order_never_changes() -> None:
    # A change here would hand out indices twice in every list that exists.
    assert [status_list.permuted_index(position, seed=SEED) for position in range(6)] == PINNED
    assert [status_list.permuted_index(position, seed=SEED, length=1000) for position in range(6)] == PINNED_1000


PINNED = [116077, 56350, 66145, 125621, 14133, 43157]
PINNED_1000 = [378, 645, 718, 935, 95, 229]


@pytest.mark.parametrize(
    ("position", "seed", "length"), [(-1, SEED, 8), (8, SEED, 8), (0, SEED, 1), (0, SEED[:15], 8), (0, SEED * 5, 8)]
)
def test_wrong_arguments_are_a_mistake_of_the_caller(position: int, seed: bytes, length: int) -> None:
    with pytest.raises(ValueError, match="permuted_index"):
        status_list.permuted_index(position, seed=seed, length=length)


# --- documents ---


def test_an_entry_is_what_openbadgeslib_makes() -> None:
    entry = status_list.entry(list_url=URL, index=94567, purpose=StatusPurpose.REVOCATION)
    assert entry == oracle_writer.status_entry(URL, "revocation", 94567)
    assert status_list.parse_entry(entry) == StatusEntry(purpose="revocation", index=94567, list_url=URL)


def test_a_list_credential_is_what_openbadgeslib_makes() -> None:
    valid_from, valid_until = datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 2, tzinfo=UTC)
    encoded = status_list.encode(status_list.from_indices([3]))

    document = status_list.list_credential(
        list_url=URL,
        issuer="https://badges.example.org",
        purpose=StatusPurpose.SUSPENSION,
        encoded_list=encoded,
        valid_from=valid_from,
        valid_until=valid_until,
        ttl=timedelta(minutes=5),
    )

    expected = oracle_writer.build_status_list_credential(
        "https://badges.example.org", URL, "suspension", [3], issued=valid_from, valid_until=valid_until, ttl=300_000
    )
    expected["credentialSubject"]["encodedList"] = encoded
    assert document == expected


def test_a_list_credential_without_end_or_ttl_says_nothing_of_them() -> None:
    document = status_list.list_credential(
        list_url=URL,
        issuer={"id": "https://badges.example.org"},
        purpose=StatusPurpose.REVOCATION,
        encoded_list="u",
        valid_from=datetime(2024, 5, 1, tzinfo=UTC),
    )
    subject = document["credentialSubject"]
    assert "validUntil" not in document
    assert isinstance(subject, dict)
    assert "ttl" not in subject


ENTRY = status_list.entry(list_url=URL, index=7, purpose=StatusPurpose.REVOCATION)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("type", "StatusList2021Entry"),
        ("type", None),
        ("statusPurpose", ["revocation"]),
        ("statusPurpose", ""),
        ("statusListIndex", 7),
        ("statusListIndex", "-7"),
        ("statusListIndex", "7.0"),
        ("statusListIndex", "٧"),
        ("statusListIndex", "²"),
        ("statusListIndex", "9" * 5000),
        ("statusListCredential", None),
        ("statusListCredential", ""),
        ("statusListCredential", "list"),
        ("id", URL),
        ("statusReference", 7),
        ("statusReference", [URL, "reasons"]),
        ("statusSize", 0),
        ("statusSize", True),
        ("statusSize", "1"),
        ("statusSize", 64),
        ("statusSize", 2),
        ("statusMessage", []),
        ("statusMessage", "0x0"),
        ("statusMessage", ["0x0", "0x1"]),
        ("statusMessage", [{"status": "0x0", "message": "no"}]),
        ("statusMessage", [{"status": "0", "message": "no"}, {"status": "1", "message": "yes"}]),
        ("statusMessage", [{"status": "0x0", "message": "no"}, {"status": "0x1"}]),
    ],
)
def test_an_entry_of_another_form_is_refused(member: str, value: JsonValue) -> None:
    entry: JsonObject = {**ENTRY, member: value}
    with pytest.raises(InvalidStatusEntry):
        status_list.parse_entry(entry)
