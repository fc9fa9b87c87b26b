"""Credentials of every shape that JSON-LD can give to what is said, and that signers have to agree on."""

from __future__ import annotations

from typing import Any

__all__ = ["DOCUMENTS", "VC_2", "Node", "badge", "credential", "forged"]

VC_2 = "https://www.w3.org/ns/credentials/v2"
OB_3 = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"
XSD = "http://www.w3.org/2001/XMLSchema#"
X = "https://terms.example/"
Node = dict[str, Any]


def credential(**members: Any) -> Node:
    """A credential of Verifiable Credentials 2.0, not yet signed and without an issuer."""
    return {
        "@context": [VC_2],
        "id": "urn:uuid:58172aac-d8ba-41ed-83dd-0b3aef56cc77",
        "type": ["VerifiableCredential"],
        "validFrom": "2020-01-01T00:00:00Z",
        "credentialSubject": {"id": "did:example:ada"},
        **members,
    }


def badge() -> Node:
    """An Open Badge, not yet signed, and with an issuer that has no id yet."""
    achievement = {
        "id": "urn:uuid:58172aac-d8ba-41ed-83dd-0b3aef56cc34",
        "type": ["Achievement"],
        "name": "Chess",
        "description": "Plays chess.",
        "criteria": {"narrative": "Win a game."},
    }
    return credential(
        **{"@context": [VC_2, OB_3]},
        type=["VerifiableCredential", "OpenBadgeCredential"],
        name="Chess",
        issuer={"type": ["Profile"], "name": "Another School"},
        credentialSubject={"id": "did:example:ada", "type": ["AchievementSubject"], "achievement": achievement},
    )


def forged(token: str) -> str:
    """A token with another signature."""
    content, _, signature = token.rpartition(".")
    return f"{content}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def _with(context: Node, **claims: Any) -> Node:
    return credential(**{"@context": [VC_2, context]}, credentialSubject={"id": "did:example:ada", **claims})


def _term(**definition: Any) -> Node:
    return {"t": {"@id": f"{X}t", **definition}}


# Lapel issues none that are called "only others", on which some differ; but it verifies what others have made of them.
DOCUMENTS: dict[str, Node] = {
    "as little as there may be": credential(),
    "a subject without a name": credential(credentialSubject={"description": "whoever has it"}),
    "unusual characters": credential(name='tab\tline\n"quoted" \\ \u0085\u2028\U0001f393 é e\u0301 \ufeff\ud7ff\ufffd'),
    "only others: control characters": credential(name="\u0001\u001f\u007f"),
    "a language": credential(name={"@value": "Knots", "@language": "EN-gb"}),
    "languages": credential(name=[{"@value": "a", "@language": "en"}, {"@value": "a", "@language": "de-AT"}]),
    "a direction": credential(
        name={"@value": "x", "@language": "EN-GB", "@direction": "rtl"},
        description={"@value": "y", "@direction": "ltr"},
    ),
    "numbers": _with(_term(), t=[0.1, -0.0, 1.0, 123456789.123, 5e-6, -1.5, 2**52, 1e15]),
    "only others: large numbers": _with(_term(), t=[1e20, 1e21, -1e22, 1.7976931348623157e308]),
    "only others: a number half way between two": _with(_term(), t=[965538758063716.25, -965538758063716.25]),
    "doubles": _with(_term(**{"@type": f"{XSD}double"}), t=[5, -0.0, 0.5, "5.50"]),
    "integers and fractions that are typed": _with(_term(**{"@type": f"{XSD}integer"}), t=[5, 0.5, "7", True]),
    "JSON": _with(
        _term(**{"@type": "@json"}), t={"b": [0.1, -0.0, None, True, 'é\u2028"'], "\ue000": 1, "\U00010000": 2}
    ),
    "only others: JSON with such numbers": _with(_term(**{"@type": "@json"}), t=[1e21, 1e-7, 333333333.33333329]),
    "JSON that is null": _with(_term(**{"@type": "@json"}), t=None),
    "a list": _with(_term(**{"@container": "@list"}), t=["b", "a", "b", 1, True, {"@id": "urn:x"}]),
    "lists of lists": _with(_term(**{"@container": "@list"}), t=[["a"], [], ["b", ["c"]]]),
    "an empty list": _with(_term(**{"@container": "@list"}), t=[]),
    "arrays in arrays": _with(_term(), t=[["a", ["b"]], [{"name": "x"}]]),
    "a language map": _with(
        _term(**{"@container": "@language", "@direction": "rtl"}), t={"ar": "x", "DE": ["y", "z"], "@none": "n"}
    ),
    "an index that is a property": _with(
        _term(**{"@container": "@index", "@index": f"{X}i"}), t={"a": {"id": "urn:y"}}
    ),
    "a map of ids": _with(_term(**{"@container": "@id"}), t={"urn:a": {"name": "x"}, "urn:b": {"name": "y"}}),
    "a map of types": _with(_term(**{"@container": "@type"}), t={f"{X}T": {"name": "x"}}),
    "graphs": _with(_term(**{"@container": "@graph"}), t=[{"name": "x"}, {"name": "y"}]),
    "graphs by id": _with(_term(**{"@container": ["@graph", "@id"]}), t={"urn:g": {"name": "x"}}),
    "nested members": _with({"n": "@nest", "t": {"@id": f"{X}t", "@nest": "n"}}, n={"t": "x"}),
    "a property read backwards": _with({"r": {"@reverse": f"{X}r"}}, r=[{"id": "urn:z", "name": "q"}]),
    "included nodes": _with({"more": "@included"}, more=[{"id": "urn:i", "name": "q"}]),
    "blank nodes by name": _with(_term(), t=[{"id": "_:x", "name": "a"}, {"id": "_:y", "t": {"id": "_:x"}}]),
    "equal blank nodes": credential(evidence=[{"type": f"{X}E", "name": "a"}, {"type": f"{X}E", "name": "a"}]),
    "a vocabulary": _with({"@vocab": X}, shoeSize=41, nested={"inner": {"deep": "x"}}),
    "values of a vocabulary": _with({**_term(**{"@type": "@vocab"}), "Red": f"{X}Red"}, t="Red"),
    "a default language": _with({"@language": "fr", **_term()}, t="x"),
    "scoped contexts": _with(
        {"T": {"@id": f"{X}T", "@context": {"p": f"{X}p"}}, **_term(**{"@context": {"q": f"{X}q"}})},
        t={"q": "x", "type": "T", "p": "y"},
    ),
    "a context that goes on": _with(
        {"T": {"@id": f"{X}T", "@context": {"@propagate": True, "p": f"{X}p"}}}, type="T", p={"p": "x"}
    ),
    "several contexts": credential(
        **{"@context": [VC_2, {"a": f"{X}a"}, {"b": {"@id": "a:b"}, "a": f"{X}other/"}]}, credentialSubject={"b": "x"}
    ),
    "whole addresses": credential(
        credentialSubject={"id": "https://exämple.org/ü?q=é#f", f"{X}p": "v", "urn:p": {"@id": "urn:v"}}
    ),
    "no value": credential(credentialSubject={"id": "did:example:ada", "description": None}),
}
"""Names of what is in them, and credentials without an issuer."""
