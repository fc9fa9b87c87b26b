"""N-Quads: canonical terms out, strict statements in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapel.credentials.rdf.nquads import InvalidTerm, iri, literal, serialise
from lapel.errors import TooLarge
from tests.support.nquads_reading import NQuadsSyntaxError, parse

CHARACTERS = st.characters(exclude_categories=["Cs"])
IRIS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=' <>"{}|^`\\')).map(
    lambda rest: f"urn:{rest}"
)
LANGUAGES = st.from_regex(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,2}", fullmatch=True)
BLANKS = st.from_regex(r"[A-Za-z0-9_](\.?[A-Za-z0-9_-]){0,5}", fullmatch=True).map(lambda label: f"_:{label}")
NODES = IRIS.map(iri) | BLANKS
LITERALS = (
    st.builds(literal, st.text(CHARACTERS))
    | st.builds(lambda value, language: literal(value, language=language), st.text(CHARACTERS), LANGUAGES)
    | st.builds(lambda value, datatype: literal(value, datatype=datatype), st.text(CHARACTERS), IRIS)
)
QUADS = st.lists(st.tuples(NODES, IRIS.map(iri), NODES | LITERALS, NODES | st.just("")), max_size=6)


@given(QUADS)
def test_what_is_written_is_read_back(quads: list[tuple[str, str, str, str]]) -> None:
    assert parse(serialise(quads)) == quads


@given(st.text(max_size=60) | st.text('<>_:"@^.#ab\\u0041 \t\n', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        quads = parse(text)
    except NQuadsSyntaxError:
        return
    assert parse(serialise(quads)) == quads


@pytest.mark.parametrize(
    ("value", "term"),
    [
        ("plain", '"plain"'),
        ("\b\t\n\f\r", r'"\b\t\n\f\r"'),
        ('"\\', r'"\"\\"'),
        ("\x00\x07\x0b\x0e\x1f\x7f", r'"\u0000\u0007\u000B\u000E\u001F\u007F"'),
        ("\ufffe\uffff", r'"\uFFFE\uFFFF"'),
        ("'\x80\x85\u2028\U0001f303", '"\'\x80\x85\u2028\U0001f303"'),
    ],
)
def test_a_literal_escapes_what_the_canonical_form_escapes_and_nothing_else(value: str, term: str) -> None:
    assert literal(value) == term


def test_xsd_string_is_left_out() -> None:
    assert literal("x", datatype="http://www.w3.org/2001/XMLSchema#string") == '"x"'


def test_another_datatype_is_written() -> None:
    assert literal("x", datatype="urn:t") == '"x"^^<urn:t>'


def test_a_language_tag_is_lower_cased() -> None:
    assert literal("x", language="en-GB") == '"x"@en-gb'
    assert parse('<a:s> <a:p> "x"@EN-gb .') == [("<a:s>", "<a:p>", '"x"@en-gb', "")]


@pytest.mark.parametrize(
    ("value", "datatype", "language"),
    [
        ("\ud800", None, None),
        ("x", "relative", None),
        ("x", "a:<b>", None),
        ("x", None, "e n"),
        ("x", None, ""),
        ("x", "a:b", "en"),
    ],
)
def test_a_literal_that_cannot_be_written_is_refused(value: str, datatype: str | None, language: str | None) -> None:
    with pytest.raises(InvalidTerm):
        literal(value, datatype=datatype, language=language)


@pytest.mark.parametrize(
    "value", ["", "relative", "/a", "//h/a", "1a:b", "a:b c", "a:<", 'a:"', "a:\\", "a:\n", "a:\ud800"]
)
def test_what_is_not_an_absolute_iri_is_refused(value: str) -> None:
    with pytest.raises(InvalidTerm):
        iri(value)


def test_escapes_are_read() -> None:
    text = r'<a:\u0062\U0001F303> <a:p> "\u0041\t\"\'\\u0041\U0001F303" .'

    assert parse(text) == [("<a:b\U0001f303>", "<a:p>", '"A\\t\\"\'\\\\u0041\U0001f303"', "")]


def test_white_space_comments_and_empty_lines_are_skipped() -> None:
    text = "\n# note\r\n\t <a:s>\t<a:p><a:o>_:g.# end\r\r_:a.b <a:p> _:c . "

    assert parse(text) == [("<a:s>", "<a:p>", "<a:o>", "_:g"), ("_:a.b", "<a:p>", "_:c", "")]


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c"])
def test_only_line_feed_and_carriage_return_end_a_line(separator: str) -> None:
    [quad] = parse(f'<a:s> <a:p> "one{separator}two" .\n')

    assert quad[2] == literal(f"one{separator}two")
    with pytest.raises(NQuadsSyntaxError):
        parse(f"<a:s> <a:p> <a:o> .{separator}<a:s> <a:p> <a:o> .")


@pytest.mark.parametrize(
    "line",
    [
        "<a:s> <a:p> <a:o>",
        "<a:s> <a:p> .",
        '"s" <a:p> <a:o> .',
        "<a:s> _:p <a:o> .",
        '<a:s> <a:p> <a:o> "g" .',
        "<s> <a:p> <a:o> .",
        r"<a:\u0020> <a:p> <a:o> .",
        r"<a:\x> <a:p> <a:o> .",
        r'<a:s> <a:p> "\x" .',
        r'<a:s> <a:p> "\ud800" .',
        r'<a:s> <a:p> "\U00110000" .',
        '<a:s> <a:p> "a\nb" .',
        '<a:s> <a:p> "a"@ .',
        '<a:s> <a:p> "a"@en^^<a:t> .',
        "_:-a <a:p> <a:o> .",
        "<a:s> <a:p> <a:o> . <a:s> <a:p> <a:o> .",
    ],
)
def test_a_malformed_statement_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(NQuadsSyntaxError, match="line 3"):
        parse(f"<a:s> <a:p> <a:o> .\r\n\n{line}\n")


def test_too_many_statements_are_refused() -> None:
    with pytest.raises(TooLarge):
        parse("<a:s> <a:p> <a:o> .\n" * 3, max_quads=2)
