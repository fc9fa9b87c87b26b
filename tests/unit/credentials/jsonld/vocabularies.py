"""Small contexts of every shape, and documents that use them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from lapel.domain.json import JsonObject

URLS = ["https://contexts.example/1", "https://contexts.example/2"]
NAMES = ["a", "b", "c", "d", "e"]
Node = dict[str, Any]

names = st.sampled_from(NAMES)
named = names.map(lambda name: f"https://terms.example/{name}")
iris = named | names | st.sampled_from(["p:x", "p:y", "q:x", "https://terms.example/", "https://terms.example/v#"])
types = named | names | st.sampled_from(["@id", "@vocab", "@none", "@json", "p:type", "q:type"])
containers = st.sampled_from(["@set", "@list", "@graph", ["@graph", "@set"], "@index", "@language"])


@st.composite
def definitions(draw: st.DrawFn, depth: int) -> Any:
    if draw(st.booleans()):
        return draw(iris | st.none())
    optional: dict[str, st.SearchStrategy[Any]] = {"@type": types, "@protected": st.booleans()}
    if draw(st.integers(0, 3)) == 0:
        optional["@container"] = containers
    if draw(st.integers(0, 9)) == 0:
        optional["@prefix"] = st.booleans()
    if depth:
        optional["@context"] = scopes(depth=depth - 1) | scopes(depth=depth - 1) | st.none()
    return draw(st.fixed_dictionaries({"@id": iris}, optional=optional))


@st.composite
def scopes(draw: st.DrawFn, depth: int) -> JsonObject:
    scope: Node = {name: draw(definitions(depth)) for name in draw(st.lists(names, max_size=4, unique=True))}
    if draw(st.booleans()):
        scope |= {"id": "@id", "type": "@type"}
    if draw(st.booleans()):
        scope["p"] = draw(st.sampled_from(["https://terms.example/p#", "https://terms.example/p"]))
    if draw(st.integers(0, 3)) == 0:
        scope["@protected"] = True  # PyLD takes False for a circle
    if draw(st.integers(0, 9)) == 0:
        scope["@vocab"] = "https://vocab.example/"
    return scope


@st.composite
def registries(draw: st.DrawFn) -> dict[str, JsonObject]:
    """Two context documents; most terms of most of them can be used."""
    plain = {name: f"https://terms.example/{name}" for name in NAMES}
    first = {**plain, "id": "@id", "type": "@type", **draw(scopes(depth=2))}
    return {URLS[0]: {"@context": first}, URLS[1]: {"@context": draw(scopes(depth=2))}}


references = st.sampled_from(["https://example.org/1", "p:1", "urn:x:1", "a", "https://terms.example/a"])
scalars = references | references | st.sampled_from(["text", 1, 1.5, True, None])
value_objects = st.builds(
    lambda value, more: {"@value": value, **more},
    st.sampled_from(["text", 1, False]),
    st.just({})
    | st.builds(lambda type_: {"@type": type_}, names | references)
    | st.builds(lambda type_: {"type": type_}, names)
    | st.just({"@language": "de-AT"}),
)


@st.composite
def nodes(draw: st.DrawFn, depth: int = 3) -> Node:
    """A node object that may name further contexts, types, other nodes and all kinds of values."""
    node: Node = {}
    if draw(st.integers(0, 9)) == 0:
        node["@context"] = draw(st.sampled_from(URLS))
    if draw(st.booleans()):
        node[draw(st.sampled_from(["id", "@id"]))] = draw(references)
    if draw(st.booleans()):
        node[draw(st.sampled_from(["type", "@type"]))] = draw(names | st.lists(names, max_size=2) | named)
    values = scalars | value_objects
    if depth:
        values = values | nodes(depth=depth - 1) | nodes(depth=depth - 1)
    for name in draw(st.lists(names | named | st.just("p:z"), max_size=3, unique=True)):
        node[name] = draw(values | st.lists(values, max_size=2))
    return node


@st.composite
def documents(draw: st.DrawFn) -> Node:
    return {**draw(nodes()), "@context": draw(st.sampled_from([[URLS[0]], URLS, URLS[0]]))}
