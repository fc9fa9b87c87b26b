"""Which addresses and identifiers are taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapel.openbadges import syntax


@pytest.mark.parametrize(
    "value",
    [
        "ada@example.org",
        "a.b+c@sub.example.org",
        "δοκιμή@παράδειγμα.δοκιμή",
        "用户@例子.公司",
        "o'neill@example.org",
        "نیم\u200cفاصله@example.org",
    ],
)
def test_e_mail_addresses_of_any_script_are_taken(value: str) -> None:
    assert syntax.email_problem(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "ada@@example.org",
        "a@b@example.org",
        "ada @example.org",
        "ada@example..org",
        ".ada@example.org",
        "ada@-example.org",
        "ada@example.org\n",
        "Ada <ada@example.org>",
        "a\x00@example.org",
        "\ud800@example.org",
        "\ufeffada@example.org",  # as where one CSV file was appended to another
        "ada\u200b@example.org",  # as copied from a page
        "ada@exam\u00adple.org",
        "\u202eada@example.org",
        "ada@example.org\U000e0061",
        "mailto:ada@example.org",
        f"{'a' * 65}@example.org",
        f"ada@{'a.' * 126}org",
    ],
)
def test_what_is_no_e_mail_address_is_refused(value: str) -> None:
    assert syntax.email_problem(value)


@pytest.mark.parametrize("value", ["https://example.org", "http://localhost:8000/a?b#c", "https://例子.测试/é"])
def test_web_addresses_are_taken(value: str) -> None:
    assert syntax.url_problem(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "example.org",
        "/relative",
        "ftp://example.org",
        "javascript:alert(1)",
        "https://",
        "https://[::1",
        "https://example.org:99999",
        "https://user:secret@example.org",
        "https://example.org/a b",
        "https://example.org/<b>",
        "https://example.org/\ud800",
        "https://example.org/" + "a" * 3000,
        "https://exa\nmple.org",
    ],
)
def test_what_is_no_web_address_is_refused(value: str) -> None:
    assert syntax.url_problem(value)


@pytest.mark.parametrize("value", ["did:web:example.org", "did:key:z6Mk", "did:example:a:b%20c", "did:x:a_b-c.d"])
def test_dids_are_taken(value: str) -> None:
    assert syntax.did_problem(value) is None


@pytest.mark.parametrize("value", ["did:web", "did:WEB:a", "did::a", "did:web:", "did:web:a#k", "did:web:a/b", "x"])
def test_what_is_no_did_is_refused(value: str) -> None:
    assert syntax.did_problem(value)


@pytest.mark.parametrize("value", ["+44 20 7946 0958", "(030) 123-456", "112112"])
def test_telephone_numbers_are_taken(value: str) -> None:
    assert syntax.phone_problem(value) is None


@pytest.mark.parametrize("value", ["", "12", "+", "phone", "+1234567890123456", "12a345678"])
def test_what_is_no_telephone_number_is_refused(value: str) -> None:
    assert syntax.phone_problem(value)


def test_a_number_is_kept_without_punctuation() -> None:
    assert syntax.normalised_phone("+44 (20) 7946-0958") == "+442079460958"


@pytest.mark.parametrize(
    "value", [2.0**53, 2.0**53 + 2, 965538758063716.25, 1e-7, -1e-9, float("nan"), float("inf"), 1e300]
)
def test_numbers_that_implementations_write_differently_are_refused(value: float) -> None:
    assert syntax.number_problem(value)


def test_the_largest_number_that_is_read_exactly_is_accepted() -> None:
    assert syntax.number_problem(2.0**53 - 1) is None


def test_a_time_without_an_offset_is_refused() -> None:
    assert syntax.time_problem(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
    assert syntax.time_problem(datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_a_time_that_leaves_the_calendar_in_utc_is_refused() -> None:
    assert syntax.time_problem(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))))


@given(st.text())
def test_nothing_that_is_typed_breaks_a_check(value: str) -> None:
    for check in (
        syntax.email_problem,
        syntax.url_problem,
        syntax.did_problem,
        syntax.phone_problem,
        syntax.iri_problem,
        syntax.language_problem,
    ):
        check(value)
