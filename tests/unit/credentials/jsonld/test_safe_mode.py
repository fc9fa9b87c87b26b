"""What RDF would lose is refused, and the error says where it stands."""

from __future__ import annotations

from typing import Any

import pytest

from lapel.credentials.jsonld import (
    Contexts,
    DocumentTooLarge,
    DroppedValue,
    InvalidContext,
    JsonLdError,
    NeedsGeneralPath,
    RelativeIri,
    UndefinedTerm,
    UnknownContext,
    UnsafeNumber,
    general_to_quads,
    to_quads,
)
from tests.unit.credentials.jsonld.badges import OB_3_0_1, OB_3_0_3, OB_EXTENSIONS, VC_1, VC_2

CONTEXTS = Contexts.bundled()
Node = dict[str, Any]


def badge(**changes: Any) -> Node:
    plain: Node = {
        "@context": [VC_2, OB_3_0_3],
        "id": "urn:uuid:7b1f3a3e-0000-7000-8000-000000000001",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "issuer": {"id": "https://example.org/issuer", "type": ["Profile"], "name": "Example"},
        "credentialSubject": {"type": ["AchievementSubject"], "achievement": {"type": "Achievement", "name": "Wit"}},
    }
    return plain | changes


def achievement(**members: Any) -> Node:
    return badge(credentialSubject={"type": "AchievementSubject", "achievement": {"type": "Achievement", **members}})


ACHIEVEMENT = "/credentialSubject/achievement"


@pytest.mark.parametrize("convert", [to_quads, general_to_quads])
@pytest.mark.parametrize(
    ("document", "error", "pointer"),
    [
        (badge(unknown="x"), UndefinedTerm, "/unknown"),
        (badge(**{"@unknown": "x"}), UndefinedTerm, "/@unknown"),
        (achievement(humanCode="x", salt="x"), UndefinedTerm, f"{ACHIEVEMENT}/salt"),
        (badge(type=["VerifiableCredential", "Unknown"]), UndefinedTerm, "/type/1"),
        (badge(issuer={"type": "Unknown"}), UndefinedTerm, "/issuer/type"),
        (badge(id="relative"), RelativeIri, "/id"),
        (badge(id="https://example.org/a b"), RelativeIri, "/id"),
        (badge(id="https://example.org/<b>"), RelativeIri, "/id"),
        (badge(issuer="relative"), RelativeIri, "/issuer"),
        (badge(evidence=[{"id": "https://example.org/"}, {"id": "x/y~z"}]), RelativeIri, "/evidence/1/id"),
        (badge(proof="https://example.org/"), DroppedValue, "/proof"),
        (badge(proof=[{"id": "https://example.org/"}]), DroppedValue, "/proof/0"),
        (badge(name={"@value": None}), DroppedValue, "/name"),
        ({"@context": VC_2, "id": "https://example.org/"}, DroppedValue, ""),
        ({"@context": VC_2}, DroppedValue, ""),
        (achievement(creditsAvailable=1e-7), UnsafeNumber, f"{ACHIEVEMENT}/creditsAvailable"),
        (achievement(creditsAvailable=2**53 + 1), UnsafeNumber, f"{ACHIEVEMENT}/creditsAvailable"),
        (achievement(tag=["a", -1e300]), UnsafeNumber, f"{ACHIEVEMENT}/tag/1"),
        (achievement(creditsAvailable=float("nan")), JsonLdError, f"{ACHIEVEMENT}/creditsAvailable"),
        (badge(name="\ud800"), JsonLdError, "/name"),
        (badge(type=None), JsonLdError, "/type"),
        (badge(id=None), JsonLdError, "/id"),
        (badge(**{"@context": [VC_2, "https://example.org/context"]}), UnknownContext, "/@context/1"),
        (badge(**{"@context": [VC_2, OB_3_0_1]}), InvalidContext, "/@context/1"),
    ],
)
def test_what_would_not_be_signed_is_refused(
    convert: Any, document: Node, error: type[JsonLdError], pointer: str
) -> None:
    with pytest.raises(JsonLdError) as caught:
        convert(document, contexts=CONTEXTS)
    if convert is to_quads:
        assert type(caught.value) is error
        assert caught.value.pointer == pointer
        assert [(one.pointer, one.code) for one in caught.value.errors] == [(pointer, error.code)]


def test_null_is_absence() -> None:
    with_null = to_quads(badge(name=None, evidence=[None]), contexts=CONTEXTS)
    assert with_null == to_quads(badge(), contexts=CONTEXTS)


def test_blank_nodes_of_parts_can_be_told_apart() -> None:
    labels = {quad[0] for quad in to_quads(badge(), contexts=CONTEXTS, label="part") if quad[0].startswith("_:")}
    assert labels == {"_:part0", "_:part1"}


def test_a_constant_part_makes_the_quads_that_it_makes_in_its_place() -> None:
    # given a badge, and the same with nothing but the id of its issuer
    whole = badge()
    issuer = whole["issuer"]
    rest = badge(issuer={"id": issuer["id"]})
    # when the issuer is turned into quads as a document of its own
    part = to_quads({"@context": whole["@context"], **issuer}, contexts=CONTEXTS, label="issuer")
    # then the two together are the whole
    assert set(to_quads(rest, contexts=CONTEXTS)) | set(part) == set(to_quads(whole, contexts=CONTEXTS))


def test_a_verifier_may_take_numbers_as_they_come() -> None:
    quads = to_quads(achievement(creditsAvailable=2**53 + 1), contexts=CONTEXTS, strict_numbers=False)
    assert any(quad[2].startswith('"9007199254740993"^^') for quad in quads)


@pytest.mark.parametrize(
    "document",
    [
        badge(**{"@context": [VC_2, {"unknown": "https://example.org/unknown"}]}),
        badge(**{"@context": None}),
        badge(id="_:b0"),
        badge(issuer="_:b0"),
        badge(evidence={"@set": []}),
        badge(evidence={"@list": []}),
        badge(**{"@graph": []}),
        badge(**{"@reverse": {}}),
        badge(**{"@included": []}),
        badge(**{"@index": "x"}),
        badge(**{"@type": "Profile"}),
        badge(name={"@value": "x", "@language": "en", "@direction": "ltr"}),
        badge(_sd=["x"]),
        achievement(tag=[["a"]]),
    ],
)
def test_rare_features_are_left_to_the_general_path(document: Node) -> None:
    with pytest.raises(NeedsGeneralPath):
        to_quads(document, contexts=CONTEXTS)


def test_what_the_general_path_gets_is_checked_the_same() -> None:
    inline = badge(**{"@context": [VC_2, OB_3_0_3, {"known": "https://example.org/known"}]})
    assert general_to_quads(inline | {"known": 1}, contexts=CONTEXTS)
    changes: list[Node] = [
        {"other": 1},
        {"@index": "x"},
        {"known": {"@value": 1, "@direction": "ltr"}},
        {"@default": 1},
    ]
    for change in changes:
        with pytest.raises(JsonLdError):
            general_to_quads(inline | change, contexts=CONTEXTS)


@pytest.mark.parametrize(
    ("language", "datatype"), [({"@language": "EN-gb"}, "en-gb_ltr"), ({}, "_ltr")], ids=["language", "none"]
)
def test_a_direction_is_signed_with_its_text(language: Node, datatype: str) -> None:
    """As others do who sign it (VC 2.0, 4.6 and 11.1; JSON-LD 1.1 API, ``rdfDirection`` of ``i18n-datatype``)."""
    quads = general_to_quads(badge(name={"@value": "Wit", **language, "@direction": "ltr"}), contexts=CONTEXTS)

    assert f'"Wit"^^<https://www.w3.org/ns/i18n#{datatype}>' in {quad[2] for quad in quads}


def test_a_schema_of_1edtech_needs_the_extensions_context() -> None:
    # given the type that vanishes in silence elsewhere
    schema = {"id": "https://example.org/schema", "type": "1EdTechJsonSchemaValidator2019"}
    with pytest.raises(UndefinedTerm) as caught:
        to_quads(badge(credentialSchema=schema), contexts=CONTEXTS)
    assert caught.value.pointer == "/credentialSchema/type"
    # when its context is there, then it is signed
    contexts = [VC_2, OB_3_0_3, OB_EXTENSIONS]
    quads = to_quads(badge(credentialSchema=schema, **{"@context": contexts}), contexts=CONTEXTS)
    assert any("1EdTechJsonSchemaValidator2019" in quad[2] for quad in quads)


def nested(depth: int) -> Node:
    node: Node = {}
    for _ in range(depth):
        node = {"https://example.org/p": node}
    return {"@context": VC_1, **node}


def test_depth_is_limited() -> None:
    assert to_quads(nested(60), contexts=CONTEXTS)
    for convert in (to_quads, general_to_quads):
        with pytest.raises(DocumentTooLarge):
            convert(nested(10_000), contexts=CONTEXTS)


def test_endless_combinations_of_contexts_are_not_compiled_on_the_fast_path() -> None:
    # given nodes of ever other sets of types, each with a context of its own
    names = [
        "Achievement",
        "Address",
        "Alignment",
        "Evidence",
        "Image",
        "Profile",
        "Related",
        "Result",
        "GeoCoordinates",
    ]
    sets = [[name for bit, name in enumerate(names) if number >> bit & 1] for number in range(1, 512)]
    document = badge(evidence=[{"type": types} for types in sets], **{"@context": [VC_1, OB_3_0_1]})
    with pytest.raises(NeedsGeneralPath):
        to_quads(document, contexts=CONTEXTS.with_documents({}))


def test_the_general_path_is_bounded_in_size() -> None:
    for values in (["x"] * 60_000, ["x" * 1_000_000] * 5):
        with pytest.raises(DocumentTooLarge):
            general_to_quads(badge(name=values), contexts=CONTEXTS)


def test_the_general_path_is_bounded_in_what_a_document_comes_to() -> None:
    """Each of its values may begin with a prefix as long as the contexts are."""
    inline: Node = {"ours": "https://example.org/" + "x" * 50_000 + "#", "like": {"@id": "ours:like", "@type": "@id"}}
    names = [f"ours:{number}" for number in range(2_000)]

    def with_names(count: int) -> Node:
        return badge(like=names[:count], **{"@context": [VC_2, OB_3_0_3, inline]})

    assert general_to_quads(with_names(20), contexts=CONTEXTS)
    with pytest.raises(DocumentTooLarge):
        general_to_quads(with_names(2_000), contexts=CONTEXTS)


def test_contexts_count_with_the_values_that_they_are_for() -> None:
    """As in a record with hundreds of credentials in it."""
    long = "https://example.org/" + "x" * 500 + "#"
    held = [{"@context": [VC_2, {"ours": f"{long}{number}"}], "name": ["x"] * 20} for number in range(600)]

    assert general_to_quads(badge(credentialSubject=held), contexts=CONTEXTS)
