"""Markdown of strangers as HTML: what it becomes, what it can never become, and how long that may take."""

from __future__ import annotations

import re

import pytest

from lapel.web.markdown import Narratives
from tests.support.work import calls_made

LONGEST = 10_000
MOST_SIGNS = 2_000


def shown(text: str) -> str:
    return str(Narratives().shown(text))


def test_it_is_read_as_commonmark_and_its_lines_stay_lines() -> None:
    assert shown("**Three** nights:\none\ntwo") == "<p><strong>Three</strong> nights:<br />\none<br />\ntwo</p>\n"
    assert shown("1. Sail\n2. *Land*") == "<ol>\n<li>Sail</li>\n<li><em>Land</em></li>\n</ol>\n"
    assert shown("> A & B `<i>`") == "<blockquote>\n<p>A &amp; B <code>&lt;i&gt;</code></p>\n</blockquote>\n"


def test_a_link_says_that_it_is_not_the_servers() -> None:
    rel = ' rel="nofollow ugc noopener"'

    assert shown("[a](https://a.example/?b=1&c=2)") == f'<p><a href="https://a.example/?b=1&amp;c=2"{rel}>a</a></p>\n'
    assert shown("<http://a.example>") == f'<p><a href="http://a.example"{rel}>http://a.example</a></p>\n'
    assert shown("<ada@a.example>") == f'<p><a href="mailto:ada@a.example"{rel}>ada@a.example</a></p>\n'
    assert shown("[a][1]\n\n[1]: https://a.example") == f'<p><a href="https://a.example"{rel}>a</a></p>\n'


@pytest.mark.parametrize("words", ["", " ", "**&nbsp;**", "![](https://a.example/a.png)"])
def test_a_link_without_words_has_its_address_to_be_read_out(words: str) -> None:
    assert ">https://a.example/?b&amp;c" in shown(f"[{words}](https://a.example/?b&c)")


def test_a_link_with_words_of_any_kind_has_only_those() -> None:
    for words in ("`a`", "*a*", "![a](https://a.example/a.png)"):
        assert ">https" not in shown(f"[{words}](https://a.example)")


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScript&#58;alert(1)",
        "java&Tab;script:alert(1)",
        "&#x6a;avascript&colon;alert(1)",
        "vbscript:x",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "//evil.example",
        "/v3/keys",
        "https:",
        "http:\\\\evil.example",
        "https://a.example/" + "x" * 2000,
        "mailto:" + "x" * 2000,
    ],
)
def test_no_other_address_becomes_a_link(address: str) -> None:
    for text in (f"[a]({address})", f"[a](<{address}>)", f"<{address}>", f"[a][1]\n\n[1]: {address}"):
        assert "<a" not in shown(text)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "<!-- --><iframe src=https://a.example></iframe>",
        '```x" onclick="alert(1)\n</code><script>\n```',
        '[a](https://a.example "t\\" onclick=\\"alert(1)")',
        "[a](https://a.example/'\"><script>)",
        "![<script>](https://a.example/i.png)",
        "&lt;script&gt; &#60;script&#62;",
    ],
)
def test_nothing_of_it_becomes_markup_of_its_own(text: str) -> None:
    tags = {re.split(r"[\s>]", tag)[0] for tag in re.findall("<(/?[^>]*)>", shown(text))}

    assert tags <= {"p", "/p", "a", "/a", "pre", "/pre", "code", "/code"}
    assert not re.search(r'<[^>]*" on\w+=', shown(text))


def test_of_an_image_the_words_are_shown_and_nothing_is_loaded() -> None:
    assert shown("![My *own* <boat>](https://a.example/i.png)") == "<p>My own &lt;boat&gt;</p>\n"
    assert "<img" not in shown("[![a](https://a.example/i.png)](https://a.example) ![b](data:image/png;base64,AA==)")


def test_headings_come_below_the_pages_own_and_leave_out_no_level() -> None:
    headings = re.findall("<(h.)>(.)</(h.)>", shown("### a\n# b\n### c\n###### d\n###### e\n###### f\n\ng\n==="))

    assert headings == [(f"h{level}", name, f"h{level}") for level, name in zip("3345663", "abcdefg", strict=True)]


@pytest.mark.parametrize("text", [">" * 30 + " deep", "- " * 30 + "deep", "> 1. " * 30 + "deep"])
def test_what_is_too_deep_is_shown_as_written_and_not_left_out(text: str) -> None:
    assert shown(text) == f'<p class="text">{text.replace(">", "&gt;")}</p>'


def test_what_is_deep_in_a_text_of_people_is_not_too_deep() -> None:
    assert shown("- a\n  - b\n    - c\n      - d\n        - e").count("<ul>") == 5


def test_what_is_too_long_is_shown_as_written() -> None:
    assert shown("*a*".ljust(LONGEST)).startswith("<p><em>")
    assert shown("*a*".ljust(LONGEST + 1)).startswith('<p class="text">*a*')


def test_of_very_many_texts_on_a_page_the_first_are_rendered() -> None:
    narratives = Narratives()
    texts = [str(narratives.shown("*a*".ljust(LONGEST))) for _ in range(4)]

    assert ["<em>" in text for text in texts] == [True, True, False, False]


def test_of_a_page_with_very_many_signs_the_first_texts_are_rendered() -> None:
    narratives = Narratives()
    texts = [str(narratives.shown("*a*" + "[" * signs)) for signs in (MOST_SIGNS, MOST_SIGNS - 4, 1, 0)]

    assert ["<em>" in text for text in texts] == [False, True, False, True]


def test_a_link_that_is_defined_once_does_not_fill_the_page() -> None:
    text = "[a]: https://a.example/" + "x" * 1900 + "\n\n" + "[a]" * 900

    assert len(shown(text)) < 10 * LONGEST


@pytest.mark.parametrize(
    "part",
    [
        *("[", "![", "[a](", "[a][", "`", "`a``", "*a ", "**a _b ", "<", "<a ", "<http://", "&", "\\", "\t"),
        *("> ", "- ", "- - - a\n", "a\n", "a\n=\n", "# a\n", "```\n", "[a]: b\n", '[a]: b "\n'),
    ],
)
@pytest.mark.parametrize("first", ["", ">" * 10], ids=["plain", "quoted"])
def test_the_work_grows_with_the_text_and_no_faster(first: str, part: str) -> None:
    text = first + part * MOST_SIGNS
    some, much = calls_made(lambda: shown(text[:200])), calls_made(lambda: shown(text[:MOST_SIGNS]))

    assert much < 20 * some
    assert much < 300 * MOST_SIGNS
