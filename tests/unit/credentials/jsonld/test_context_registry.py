"""Term tables, and the folder of contexts that an operator may add."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lapel.credentials.jsonld import ContextFolderError, Contexts, UnknownContext, to_quads
from lapel.credentials.jsonld.tables import MalformedTable, read_table
from tests.unit.credentials.jsonld.badges import VC_2

TABLE = """
# Badges of wood
url    https://contexts.example/wood
short  ex  https://terms.example/

! protected aliases
xs:     http://www.w3.org/2001/XMLSchema#
carved  ex~carved  xs:date
parts   ex~part    -        @list
Badge   ex~Badge
  ! aliases
  kind  ex~kind  @id
  inner  ex~inner
    ! nothing
"""


def test_a_table_is_a_context_in_short() -> None:
    table = read_table(TABLE)
    assert table.url == "https://contexts.example/wood"
    assert table.context == {
        "@protected": True,
        "id": "@id",
        "type": "@type",
        "xs": "http://www.w3.org/2001/XMLSchema#",
        "carved": {"@id": "https://terms.example/carved", "@type": "xs:date"},
        "parts": {"@id": "https://terms.example/part", "@container": "@list"},
        "Badge": {
            "@id": "https://terms.example/Badge",
            "@context": {
                "id": "@id",
                "type": "@type",
                "kind": {"@id": "https://terms.example/kind", "@type": "@id"},
                "inner": {"@id": "https://terms.example/inner", "@context": None},
            },
        },
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "url  https://x.example/",
        "a  ex~a",
        "url  u\n! loud",
        "url  u\na",
        "url  u\na  b  c  d  e",
        "url  u\na  x~y",
        "url  u\na  urn:a\n    b  urn:b\n  c  urn:c",
        "url  u\n  a  urn:a\nb  urn:b",
        "url  u\nx:  urn:x#\n  y  urn:y",
    ],
)
def test_a_malformed_table_is_refused(text: str) -> None:
    with pytest.raises(MalformedTable):
        read_table(text)


def test_the_bundled_registry_is_one() -> None:
    assert Contexts.bundled() is Contexts.bundled()
    assert Contexts.bundled().knows(VC_2)
    assert not Contexts.bundled().added()


def test_an_unknown_context_is_named() -> None:
    with pytest.raises(UnknownContext, match=r"https://unknown\.example/"):
        Contexts.bundled().document("https://unknown.example/")


def test_a_folder_adds_contexts_by_map_or_by_their_own_url(tmp_path: Path) -> None:
    # given a file that the map names, one that names itself, and one that does neither
    context = {"@context": {"word": "https://terms.example/word"}}
    (tmp_path / "map.json").write_text(json.dumps({"https://contexts.example/1": "first.json"}))
    (tmp_path / "first.json").write_text(json.dumps(context))
    (tmp_path / "second.jsonld").write_text(json.dumps({"id": "https://contexts.example/2", **context}))
    (tmp_path / "third.json").write_text(json.dumps(context))
    contexts = Contexts.bundled().with_folder(tmp_path)
    # then documents may use the first two, on the fast path
    assert set(contexts.added()) == {"https://contexts.example/1", "https://contexts.example/2"}
    for url in contexts.added():
        (quad,) = to_quads({"@context": [VC_2, url], "word": "x"}, contexts=contexts)
        assert quad[1:] == ("<https://terms.example/word>", '"x"', "")


def test_a_folder_cannot_replace_a_bundled_context(tmp_path: Path) -> None:
    (tmp_path / "vc.json").write_text(json.dumps({"id": VC_2, "@context": {"name": "https://evil.example/name"}}))
    contexts = Contexts.bundled().with_folder(tmp_path)
    assert contexts.document(VC_2) == Contexts.bundled().document(VC_2)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("map.json", "not JSON"),
        ("map.json", "[]"),
        ("map.json", '{"https://contexts.example/1": "missing.json"}'),
        ("map.json", '{"https://contexts.example/1": "../outside.json"}'),
        ("map.json", '{"https://contexts.example/1": "map.json"}'),
        ("broken.json", "{"),
        ("deep.json", "[" * 100_000),
    ],
)
def test_a_folder_with_a_mistake_is_refused(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ContextFolderError):
        Contexts.bundled().with_folder(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContextFolderError, match="nowhere"):
        Contexts.bundled().with_folder(tmp_path / "nowhere")
