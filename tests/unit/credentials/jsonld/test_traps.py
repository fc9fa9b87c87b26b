"""What other implementations have got wrong, one test each."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from lapel.credentials.jsonld import Contexts, InvalidContext, JsonLdError, UnsafeNumber, general_to_quads, to_quads
from lapel.credentials.rdf.nquads import Quad, serialise
from tests.support.nquads_reading import parse
from tests.unit.credentials.jsonld.badges import DATA_INTEGRITY, OB_2, OB_3_0_1, OB_3_0_3, VC_1, VC_2, Node
from tests.unit.credentials.jsonld.oracle import Oracle, canonical

CONTEXTS = Contexts.bundled()
SEC = "https://w3id.org/security#"
OB = "https://purl.imsglobal.org/spec/vc/ob/vocab.html#"
XSD = "http://www.w3.org/2001/XMLSchema#"
TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"


def both(document: Node, contexts: Contexts = CONTEXTS, *, strict_numbers: bool = True) -> list[Quad]:
    """The quads of the fast path, which the general path makes too."""
    quads = to_quads(document, contexts=contexts, strict_numbers=strict_numbers)
    generally = general_to_quads(document, contexts=contexts, strict_numbers=strict_numbers)
    assert canonical(generally) == canonical(quads)
    return quads


def objects(quads: list[Quad], predicate: str) -> list[str]:
    return sorted({quad[2] for quad in quads if quad[1] == f"<{predicate}>"})


@pytest.mark.parametrize("contexts", [VC_2, [VC_1, DATA_INTEGRITY], DATA_INTEGRITY])
def test_the_scope_of_a_property_rules_its_strings(contexts: Any) -> None:
    # given a term that only the context scoped to its property defines, itself inside the scope of a type
    document: Node = {"@context": contexts, "type": "DataIntegrityProof", "proofPurpose": "authentication"}
    # then it is not a relative IRI, nor the property of that name
    assert objects(both(document), f"{SEC}proofPurpose") == [f"<{SEC}authenticationMethod>"]


def test_the_scope_of_a_property_is_applied_before_that_of_the_type_ends() -> None:
    # given a purpose that is a term of the type's scope only
    context: Node = {
        "T": {
            "@id": "urn:T",
            "@context": {"p": {"@id": "urn:p", "@type": "@vocab", "@context": {}}, "word": "urn:word"},
        },
    }
    contexts = Contexts({"https://contexts.example/": {"@context": context}})
    document: Node = {"@context": "https://contexts.example/", "@type": "T", "p": "word"}
    assert objects(both(document, contexts), "urn:p") == ["<urn:word>"]


def test_types_are_applied_in_the_order_of_their_names_and_looked_up_before_any_is_applied() -> None:
    # given two types whose scopes define one term differently, and one of which renames the other
    context: Node = {
        "A": {"@id": "urn:A", "@context": {"p": "urn:p-of-A", "B": "urn:other-B"}},
        "B": {"@id": "urn:B", "@context": {"p": "urn:p-of-B"}},
    }
    contexts = Contexts({"https://contexts.example/": {"@context": context}})
    # when they are written in whatever order
    for types in (["A", "B"], ["B", "A"]):
        quads = both({"@context": "https://contexts.example/", "@type": types, "p": "x"}, contexts)
        # then the last by name wins, and the types are what they were outside
        assert objects(quads, "urn:p-of-B") == ['"x"']
        assert sorted(quad[2] for quad in quads if quad[1] == TYPE) == ["<urn:A>", "<urn:B>"]


def test_the_type_of_a_value_can_have_a_scope_too() -> None:
    # given a literal whose type is a term with a scoped context, that clashes with the one in force
    context: Node = {"@protected": True, "name": "https://other.example/name"}
    clash: Node = {"Clash": {"@id": "urn:Clash", "@context": context}}
    contexts = CONTEXTS.with_documents({"https://contexts.example/": {"@context": clash}})
    document: Node = {"@context": [VC_2, "https://contexts.example/"], "name": {"@value": "x", "@type": "Clash"}}
    for convert in (to_quads, general_to_quads):
        with pytest.raises(JsonLdError):
            convert(document, contexts=contexts)
    with pytest.raises(InvalidContext) as caught:
        to_quads(document, contexts=contexts)
    assert caught.value.pointer == "/name/@type"
    # and where it does not clash, it gives its IRI
    quads = both({"@context": [VC_2, OB_3_0_3], "name": {"@value": "x", "@type": "Image"}})
    assert objects(quads, "https://schema.org/name") == [f'"x"^^<{OB}Image>']


def test_a_null_type_is_an_error() -> None:
    for convert in (to_quads, general_to_quads):
        with pytest.raises(JsonLdError):
            convert({"@context": VC_2, "type": None, "name": "x"}, contexts=CONTEXTS)


def test_an_achievement_credential_is_an_open_badge_credential() -> None:
    quads = both({"@context": [VC_2, OB_3_0_3], "type": ["VerifiableCredential", "AchievementCredential"]})
    assert f"<{OB}OpenBadgeCredential>" in {quad[2] for quad in quads}


def test_datatypes_of_open_badges_are_https() -> None:
    quads = both({"@context": [VC_2, OB_3_0_3], "type": "IdentityObject", "hashed": True, "url": "https://a.example/"})
    assert objects(quads, f"{OB}hashed") == ['"true"^^<https://www.w3.org/2001/XMLSchema#boolean>']
    assert objects(quads, "https://schema.org/url") == [
        '"https://a.example/"^^<https://www.w3.org/2001/XMLSchema#anyURI>'
    ]


@pytest.mark.parametrize(
    ("contexts", "datatype"),
    [
        ([VC_2, OB_3_0_3], "xsd:dateTime"),
        ([OB_2, VC_2, OB_3_0_3], "http://www.w3.org/2001/XMLSchema#dateTime"),
    ],
)
def test_a_prefix_that_a_context_forgets_to_define_is_that_of_the_context_before(
    oracle: Oracle, contexts: list[str], datatype: str
) -> None:
    document: Node = {"@context": contexts, "awardedDate": "2026-01-01T00:00:00Z"}
    quads = both(document)
    assert objects(quads, f"{OB}awardedDate") == [f'"2026-01-01T00:00:00Z"^^<{datatype}>']
    assert canonical(quads) == canonical(oracle.quads(document))


def test_language_tags_are_lower_cased() -> None:
    quads = both({"@context": VC_2, "name": {"@value": "Abzeichen", "@language": "de-AT"}})
    assert objects(quads, "https://schema.org/name") == ['"Abzeichen"@de-at']


def test_control_characters_are_escaped_and_line_separators_do_not_end_a_line() -> None:
    quads = both({"@context": VC_2, "name": '\x00\x0b\x7f\x85\u2028\r\n\t\\"'})
    assert objects(quads, "https://schema.org/name") == ['"\\u0000\\u000B\\u007F\x85\u2028\\r\\n\\t\\\\\\""']
    assert parse(serialise(quads)) == quads


def test_numbers_are_written_as_every_implementation_writes_them() -> None:
    quads = both(
        {"@context": [VC_2, OB_3_0_3], "name": [1, 1.0, -0.0, 1.5, 1e-6, 123456789.123, 2**53, True, 1e15, 0.1]}
    )
    assert objects(quads, "https://schema.org/name") == [
        '"0"^^<http://www.w3.org/2001/XMLSchema#integer>',
        '"1"^^<http://www.w3.org/2001/XMLSchema#integer>',
        '"1.0E-1"^^<http://www.w3.org/2001/XMLSchema#double>',
        '"1.0E-6"^^<http://www.w3.org/2001/XMLSchema#double>',
        '"1.23456789123E8"^^<http://www.w3.org/2001/XMLSchema#double>',
        '"1.5E0"^^<http://www.w3.org/2001/XMLSchema#double>',
        '"1000000000000000"^^<http://www.w3.org/2001/XMLSchema#integer>',
        '"9007199254740992"^^<http://www.w3.org/2001/XMLSchema#integer>',
        '"true"^^<http://www.w3.org/2001/XMLSchema#boolean>',
    ]


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (965538758063716.25, "9.655387580637163E14"),
        (-965538758063716.25, "-9.655387580637163E14"),
        (965538758063716.75, "9.655387580637168E14"),
        (-0.0, "0.0E0"),
        (5, "5.0E0"),
        (5e-324, "4.940656458412465E-324"),
    ],
)
def test_doubles_are_written_by_the_rule_of_the_specification(number: float, written: str) -> None:
    """Data Round Tripping (JSON-LD 1.1 API, 8.6), which gives it in JavaScript: a half goes away from zero."""
    name = {"@value": number, "@type": f"{XSD}double"}
    quads = both({"@context": [VC_2, OB_3_0_3], "name": name}, strict_numbers=False)
    assert objects(quads, "https://schema.org/name") == [f'"{written}"^^<{XSD}double>']


def test_an_issuer_writes_no_number_that_others_round_differently() -> None:
    for convert in (to_quads, general_to_quads):
        with pytest.raises(UnsafeNumber):
            convert({"@context": [VC_2, OB_3_0_3], "name": 965538758063716.25}, contexts=CONTEXTS)


def test_lists_keep_their_order_and_repetitions() -> None:
    values = ["b", "a", "b"]
    quads = both({"@context": [VC_2, OB_3_0_3], "type": "ResultDescription", "allowedValue": values})
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    first = {quad[0]: quad[2] for quad in quads if quad[1] == f"<{rdf}first>"}
    rest = {quad[0]: quad[2] for quad in quads if quad[1] == f"<{rdf}rest>"}
    (head,) = objects(quads, f"{OB}allowedValue")
    found = []
    while head in first:
        found.append(first[head])
        head = rest[head]
    assert found == ['"b"', '"a"', '"b"']
    assert head == f"<{rdf}nil>"


def test_each_proof_stands_in_a_graph_of_its_own() -> None:
    proof = {"type": "DataIntegrityProof", "proofPurpose": "assertionMethod"}
    quads = both({"@context": VC_2, "type": "VerifiableCredential", "proof": [proof, proof]})
    graphs = objects(quads, f"{SEC}proof")
    assert len(graphs) == 2
    assert {quad[3] for quad in quads if quad[1] == f"<{SEC}proofPurpose>"} == set(graphs)


def test_the_scope_of_a_type_ends_at_the_next_node() -> None:
    # given a member that only an Achievement has, on the criteria below it
    document: Node = {"@context": [VC_2, OB_3_0_3], "type": "Achievement", "criteria": {"humanCode": "x"}}
    with pytest.raises(JsonLdError):
        to_quads(document, contexts=CONTEXTS)


def test_the_credentials_of_a_presentation_bring_their_own_contexts() -> None:
    # given a credential under other contexts, which clash with those of the presentation
    credential = {"@context": [VC_1, OB_3_0_1], "type": ["VerifiableCredential"], "name": "x"}
    document: Node = {"@context": VC_2, "type": "VerifiablePresentation", "verifiableCredential": [credential]}
    quads = both(document)
    assert objects(quads, "https://schema.org/name") == ['"x"^^<https://www.w3.org/2001/XMLSchema#string>']
    # and without contexts it has no meaning, whatever the presentation's say
    document["verifiableCredential"] = [{"type": ["VerifiableCredential"]}]
    with pytest.raises(JsonLdError):
        to_quads(document, contexts=CONTEXTS)


def test_no_document_can_change_a_pinned_context() -> None:
    # given a document whose import rewrites a term of the context that it imports
    before = copy.deepcopy(CONTEXTS.document(OB_3_0_3))
    hostile: Node = {"@context": {"@import": OB_3_0_3, "name": "https://evil.example/name"}, "name": "x"}
    general_to_quads(hostile, contexts=CONTEXTS)
    # then the context is what it was, to the next document too
    assert CONTEXTS.document(OB_3_0_3) == before
    assert objects(both({"@context": OB_3_0_3, "name": "x"}), "https://schema.org/name") == ['"x"']
