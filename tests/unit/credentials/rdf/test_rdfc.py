"""RDFC-1.0: one text for equal datasets, whatever their labels and their order."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject
from pyld.canon import URDNA2015

from lapel.credentials.rdf import rdfc
from lapel.credentials.rdf.nquads import Quad, literal, serialise
from lapel.credentials.rdf.rdfc import CanonicalisationBudgetExceeded, Fragment, canonicalise, issued_identifiers
from tests.support.nquads_reading import parse
from tests.support.work import calls_made

AMPLE = 1_000_000

# Few labels and predicates, so that look-alikes, cycles, twins and shared graph names are common.
BLANKS = st.sampled_from([f"_:n{i}" for i in range(5)])
SUBJECTS = BLANKS | st.sampled_from(["<urn:a>", "<urn:b>"])
PREDICATES = st.sampled_from(["<urn:p>", "<urn:q>"])
# PyLD writes the other control characters unescaped, which is not canonical.
VALUES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]) | st.sampled_from('\t\n\r"\\'), max_size=3)
LITERALS = st.builds(literal, VALUES) | st.sampled_from(['"x"@en', '"x"^^<urn:t>'])
GRAPHS = st.just("") | st.sampled_from(["", "<urn:g>", "_:n0", "_:g1", "_:g2"])
QUADS = st.lists(st.tuples(SUBJECTS, PREDICATES, BLANKS | SUBJECTS | LITERALS, GRAPHS), max_size=10)


def relabelled(quads: list[Quad], suffix: str) -> list[Quad]:
    """The same dataset with a suffix on every blank node label."""
    return [
        (s + suffix * (s[0] == "_"), p, o + suffix * (o[0] == "_"), g + suffix * (g[:1] == "_")) for s, p, o, g in quads
    ]


def ring(size: int, *, label: str = "r", predicate: str = "<urn:p>") -> list[Quad]:
    """Blank nodes in a cycle, which only their neighbours could tell apart."""
    return [(f"_:{label}{i}", predicate, f"_:{label}{(i + 1) % size}", "") for i in range(size)]


TWINS = QUADS.map(lambda quads: quads[:6] + relabelled(quads[:6], "twin"))
RINGS = st.builds(
    lambda size, quads: ring(size, label="n") + quads[:4],
    st.integers(2, 5),
    QUADS,
)
DATASETS = QUADS | TWINS | RINGS


def term(text: str) -> dict[str, str]:
    """A canonical term as PyLD's dataset has it."""
    if text[0] == "_":
        return {"type": "blank node", "value": text}
    if text[0] == "<":
        return {"type": "IRI", "value": text[1:-1]}
    found = re.fullmatch(r'"(.*)"(?:@(.*)|\^\^<(.*)>)?', text, re.DOTALL)
    assert found
    value = re.sub(r"\\(.)", lambda e: {"t": "\t", "n": "\n", "r": "\r"}.get(e[1], e[1]), found[1])
    datatype = found[3] or "http://www.w3.org/2001/XMLSchema#string"
    if found[2]:
        rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
        return {"type": "literal", "value": value, "datatype": f"{rdf}langString", "language": found[2]}
    return {"type": "literal", "value": value, "datatype": datatype}


def pyld(quads: list[Quad]) -> str:
    dataset: dict[str, list[dict[str, dict[str, str]]]] = {}
    for s, p, o, g in dict.fromkeys(quads):
        triple = {"subject": term(s), "predicate": term(p), "object": term(o)}
        graph = g[1:-1] if g[:1] == "<" else g or "@default"
        dataset.setdefault(graph, []).append(triple)
    result: str = URDNA2015().main(dataset, {"format": "application/n-quads"})
    return result


@given(DATASETS)
def test_it_agrees_with_pyld(quads: list[Quad]) -> None:
    # PyLD counts a quad twice for a blank node that stands in it twice; the specification's map holds sets.
    quads = [quad for quad in quads if quad[0] != quad[2] and quad[3] not in (quad[0], quad[2])]

    assert canonicalise(quads, budget=AMPLE) == pyld(quads)


@given(DATASETS, st.randoms())
def test_labels_and_order_do_not_matter(quads: list[Quad], random: Random) -> None:
    labels = sorted({t for s, _, o, g in quads for t in (s, o, g) if t[:1] == "_"})
    names = [f"_:c14n{i}" for i in range(len(labels))]
    random.shuffle(names)
    named = dict(zip(labels, names, strict=True))
    renamed = [(named.get(s, s), p, named.get(o, o), named.get(g, g)) for s, p, o, g in quads]
    random.shuffle(renamed)

    assert canonicalise(renamed, budget=AMPLE) == canonicalise(quads, budget=AMPLE)


@given(DATASETS)
def test_the_text_is_the_dataset_under_the_issued_labels(quads: list[Quad]) -> None:
    labels = issued_identifiers(quads, budget=AMPLE)
    renamed = {(labels.get(s, s), p, labels.get(o, o), labels.get(g, g)) for s, p, o, g in quads}

    text = canonicalise(quads, budget=AMPLE)

    assert text == "".join(sorted(serialise([quad]) for quad in renamed))
    assert sorted(labels.values()) == sorted(f"_:c14n{i}" for i in range(len(labels)))
    assert canonicalise(parse(text), budget=AMPLE) == text


@given(DATASETS, st.data())
def test_prepared_fragments_change_nothing(quads: list[Quad], data: DataObject) -> None:
    # Parts that share blank nodes, or repeat one another's quads, are among them.
    places = [data.draw(st.integers(0, 2)) for _ in quads]
    parts: list[list[Quad]] = [[q for q, place in zip(quads, places, strict=True) if place == i] for i in range(3)]
    fragments = [Fragment.of(parts[1] + parts[0][:1]), Fragment.of(parts[2])]

    assert canonicalise(parts[0], fragments=fragments, budget=AMPLE) == canonicalise(quads, budget=AMPLE)


def test_a_fragment_made_with_another_hash_is_hashed_again() -> None:
    quads = parse('<urn:a> <urn:p> _:x .\n_:x <urn:q> "1" .\n<urn:a> <urn:p> _:y .\n_:y <urn:q> "2" .\n')

    text = canonicalise([], fragments=[Fragment.of(quads)], hash_algorithm="sha384")

    assert text == canonicalise(quads, hash_algorithm="sha384")


def test_nothing_gives_nothing() -> None:
    assert canonicalise([]) == ""


def test_a_repeated_quad_counts_once() -> None:
    quads = parse('_:x <urn:p> "1" .\n<urn:a> <urn:p> _:x .\n')

    assert canonicalise(quads * 2) == canonicalise(quads)


def test_two_links_that_look_the_same_both_count_in_the_first_degree() -> None:
    # Given a parent of two and a parent of one, alike but for the number of their children.
    quads = parse(
        "_:two <urn:p> _:a .\n_:two <urn:p> _:b .\n_:one <urn:p> _:c .\n"
        '_:a <urn:q> "a" .\n_:b <urn:q> "b" .\n_:c <urn:q> "c" .\n'
    )

    assert len(set(Fragment.of(quads).hashes.values())) == 5


def test_indistinguishable_graph_names_are_told_apart() -> None:
    # Given two equal proofs, each in its own graph.
    quads = parse("<urn:vc> <urn:proof> _:g1 .\n<urn:vc> <urn:proof> _:g2 .\n") + [
        quad for i in "12" for quad in parse(f'_:p{i} <urn:value> "z" _:g{i} .\n_:p{i} <urn:type> <urn:T> _:g{i} .\n')
    ]

    text = canonicalise(quads)

    assert text == pyld(quads)
    assert text.count("_:c14n") == 2 + 2 * 4


@pytest.mark.parametrize("members", [7, 40, 1500])
def test_twin_proofs_are_no_puzzle(members: int) -> None:
    """Each member of a proof relates it to its graph once more; the orders of one and the same node are one."""
    quads = [
        quad
        for twin in "ab"
        for quad in (
            ("<urn:endorsement>", "<urn:proof>", f"_:graph{twin}", ""),
            *((f"_:proof{twin}", f"<urn:p{number}>", '"x"', f"_:graph{twin}") for number in range(members)),
        )
    ]
    text = canonicalise(quads)
    assert text == canonicalise(relabelled(quads, "z")[::-1])
    if members == 7:
        assert text == pyld(quads)


def clique(size: int) -> list[Quad]:
    return [(f"_:n{i}", "<urn:p>", f"_:n{j}", "") for i in range(size) for j in range(size)]


@pytest.mark.parametrize(
    "quads",
    [
        pytest.param(clique(30), id="clique"),
        pytest.param(ring(2000), id="ring"),
        pytest.param([q for i in range(600) for q in ring(3, label=f"r{i}_")], id="many rings"),
        pytest.param([(f"_:a{i}", "<urn:p>", f"_:b{j}", "") for i in range(30) for j in range(30)], id="bipartite"),
    ],
)
def test_a_graph_made_to_exhaust_the_server_is_refused_at_once(quads: list[Quad]) -> None:
    def refuse() -> None:
        with pytest.raises(CanonicalisationBudgetExceeded):
            canonicalise(quads)

    # A call takes about an eighth of a microsecond.
    assert calls_made(refuse) < 300_000


def test_the_same_links_in_many_graphs_are_no_puzzle() -> None:
    quads: list[Quad] = [(*link[:3], f"<urn:g{graph}>") for link in ring(3) for graph in range(12)]

    assert canonicalise(quads) == canonicalise(relabelled(quads, "z")[::-1])


def test_a_deep_graph_is_refused_whatever_the_budget() -> None:
    with pytest.raises(CanonicalisationBudgetExceeded):
        canonicalise(ring(3000), budget=10**9)


def test_the_budget_decides() -> None:
    assert canonicalise(ring(40), budget=AMPLE)
    with pytest.raises(CanonicalisationBudgetExceeded):
        canonicalise(ring(40), budget=100)


def test_a_long_list_of_equal_children_is_no_puzzle() -> None:
    # Given far more look-alikes than the budget has steps.
    size = rdfc.DEFAULT_BUDGET // 4
    quads: list[Quad] = []
    for i in range(size):
        quads += [("<urn:a>", "<urn:p>", f"_:n{i}", ""), (f"_:n{i}", "<urn:q>", f"_:m{i}", "")]

    assert canonicalise(quads).count("\n") == 2 * size
