"""The fast path, the general path and PyLD agree on every document."""

from __future__ import annotations

from hypothesis import given

from lapel.credentials.jsonld import Contexts, general_to_quads, to_quads
from lapel.credentials.rdf.rdfc import canonicalise
from lapel.domain.json import JsonObject
from tests.unit.credentials.jsonld.badges import Node, credentials, mutated
from tests.unit.credentials.jsonld.oracle import NEEDS_GENERAL_PATH, REFUSED, Oracle, canonical, outcome
from tests.unit.credentials.jsonld.other_documents import in_every_script, others, twins
from tests.unit.credentials.jsonld.vocabularies import documents, registries

CONTEXTS = Contexts.bundled()


def agree(oracle: Oracle, contexts: Contexts, document: Node) -> None:
    fast = outcome(lambda: to_quads(document, contexts=contexts, strict_numbers=False))
    if fast == NEEDS_GENERAL_PATH:
        return
    assert outcome(lambda: general_to_quads(document, contexts=contexts, strict_numbers=False)) == fast
    if fast != REFUSED:
        assert canonical(oracle.quads(document)) == fast


def all_agree(oracle: Oracle, document: Node) -> None:
    expected = canonical(oracle.quads(document))
    assert canonical(to_quads(document, contexts=CONTEXTS)) == expected
    assert canonical(general_to_quads(document, contexts=CONTEXTS)) == expected


@given(document=credentials())
def test_every_badge_becomes_what_pyld_makes_of_it(oracle: Oracle, document: Node) -> None:
    all_agree(oracle, document)


@given(document=others)
def test_so_does_every_other_document(oracle: Oracle, document: Node) -> None:
    all_agree(oracle, document)


@given(document=in_every_script())
def test_so_do_the_characters_of_every_plane(oracle: Oracle, document: Node) -> None:
    all_agree(oracle, document)


@given(document=twins())
def test_so_do_identical_anonymous_parts(oracle: Oracle, document: Node) -> None:
    all_agree(oracle, document)
    # Without control characters, which PyLD does not escape, and without graphs, its own text is ours, byte for byte.
    assert canonicalise(to_quads(document, contexts=CONTEXTS)) == oracle.normalised(document)


@given(document=mutated())
def test_both_paths_agree_on_badges_that_somebody_has_changed(oracle: Oracle, document: Node) -> None:
    agree(oracle, CONTEXTS, document)


@given(registry=registries(), document=documents())
def test_both_paths_agree_on_the_contexts_of_an_operator(registry: dict[str, JsonObject], document: Node) -> None:
    agree(Oracle.over(registry), Contexts(registry), document)
