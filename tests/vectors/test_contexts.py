"""Every bundled context means what the published document means, term by term."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pyld import jsonld

from lapel.credentials.jsonld import Contexts, JsonLdError
from lapel.credentials.jsonld.active import ActiveContext
from lapel.credentials.jsonld.compiler import Compiler, scope_of
from lapel.credentials.jsonld.definition import NO_SCOPE
from lapel.domain.json import JsonObject, JsonValue

VC_2 = "https://www.w3.org/ns/credentials/v2"
VC_1 = "https://www.w3.org/2018/credentials/v1"
OB = "https://purl.imsglobal.org/spec/ob/v3p0/"

# What the map of the vectors leaves out, and the file that holds it there.
UNMAPPED = {
    "https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json": "clr-v2p0-2.0.1.json",
    "https://w3id.org/openbadges/v2": "ob-v2p0.json",
}
# A stand-in of the vectors, not a published context.
NOT_PUBLISHED = "https://www.w3.org/ns/credentials/examples/v2"

_STATUS = "https://w3id.org/vc/status-list#"
_ALIASES: dict[str, JsonValue] = {"@protected": True, "id": "@id", "type": "@type"}
# What the vectors do not hold: https://w3id.org/vc/status-list/2021/v1 as it is published.
NOT_IN_THE_VECTORS: dict[str, JsonObject] = {
    "https://w3id.org/vc/status-list/2021/v1": {
        "@context": {
            "@protected": True,
            "StatusList2021Credential": {
                "@id": f"{_STATUS}StatusList2021Credential",
                "@context": {
                    **_ALIASES,
                    "description": "http://schema.org/description",
                    "name": "http://schema.org/name",
                },
            },
            "StatusList2021": {
                "@id": f"{_STATUS}StatusList2021",
                "@context": {
                    **_ALIASES,
                    "statusPurpose": f"{_STATUS}statusPurpose",
                    "encodedList": f"{_STATUS}encodedList",
                },
            },
            "StatusList2021Entry": {
                "@id": f"{_STATUS}StatusList2021Entry",
                "@context": {
                    **_ALIASES,
                    "statusPurpose": f"{_STATUS}statusPurpose",
                    "statusListIndex": f"{_STATUS}statusListIndex",
                    "statusListCredential": {"@id": f"{_STATUS}statusListCredential", "@type": "@id"},
                },
            },
        }
    }
}

Meaning = dict[str, Any]


@pytest.fixture(scope="module")
def published(vectors: Path) -> dict[str, JsonObject]:
    folder = vectors / "contexts"
    files: dict[str, str] = json.loads((folder / "map.json").read_text()) | UNMAPPED
    found = {url: json.loads((folder / name).read_text()) for url, name in files.items() if url != NOT_PUBLISHED}
    return found | NOT_IN_THE_VECTORS


def test_all_published_contexts_of_the_vectors_are_bundled(published: dict[str, JsonObject]) -> None:
    assert Contexts.bundled().urls() == tuple(sorted(published))


def meaning_to_us(active: ActiveContext, compiler: Compiler, inherited: ActiveContext | None = None) -> Meaning:
    """Every term that is not inherited, with all that is known of it and what its scope defines, to the bottom."""
    return {
        name: (
            term.iri,
            term.type,
            sorted(term.container),
            term.prefix,
            term.protected,
            term.scope != NO_SCOPE
            and meaning_to_us(
                compiler.applied(active, scope_of(term), override_protected=True), compiler, inherited=active
            ),
        )
        for name, term in active.terms.items()
        if inherited is None or term is not inherited.terms.get(name)
    }


def compiled(url: str, documents: Mapping[str, JsonObject]) -> Meaning:
    compiler = Compiler(Contexts(documents))
    return meaning_to_us(compiler.named(compiler.initial, url), compiler)


def test_each_table_compiles_to_the_terms_of_the_published_document(published: dict[str, JsonObject]) -> None:
    bundled = Contexts.bundled()
    for url in bundled.urls():
        ours = compiled(url, {url: bundled.document(url)})
        theirs = compiled(url, {url: published[url]})
        assert ours == theirs, url
        assert len(ours) > 2


class Processor:
    """PyLD's context processing over some documents."""

    def __init__(self, documents: Mapping[str, JsonObject]) -> None:
        self._processor = jsonld.JsonLdProcessor()
        # PyLD changes the documents that it is given.
        self._documents = json.dumps(dict(documents))

    def meaning(self, urls: list[str], *, scopes: bool = True) -> Meaning | str:
        """The terms after these contexts, or the code of the error."""
        documents = json.loads(self._documents)

        def load(url: str, options: object) -> dict[str, Any]:
            return {"contentType": None, "contextUrl": None, "documentUrl": url, "document": documents[url]}

        options = {"base": None, "processingMode": "json-ld-1.1", "documentLoader": load}
        options["contextResolver"] = jsonld.ContextResolver({}, load)
        initial = self._processor._get_initial_context(options)
        try:
            active = self._processor.process_context(initial, urls, options)
        except jsonld.JsonLdError as error:
            return str(error.code)
        return self._terms(active, options, {}) if scopes else dict(active["mappings"])

    def _terms(self, active: Meaning, options: Meaning, inherited: Meaning) -> Meaning:
        terms = {}
        for name, mapping in active["mappings"].items():
            if mapping is inherited.get(name):
                continue
            known = dict(mapping)
            scope = known.pop("@context", None)
            if scope is not None:
                below = self._processor._process_context(active, scope, options, override_protected=True)
                known["scope"] = self._terms(below, options, active["mappings"])
            terms[name] = known
        return terms


def test_each_table_written_back_means_the_same_to_an_independent_processor(published: dict[str, JsonObject]) -> None:
    bundled = Contexts.bundled()
    ours = Processor({url: bundled.document(url) for url in bundled.urls()})
    theirs = Processor(published)
    for url in bundled.urls():
        assert ours.meaning([url]) == theirs.meaning([url]), url


PAIRS = list(itertools.permutations([VC_1, VC_2, *UNMAPPED, OB + "context.json"], 2))


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_contexts_that_clash_in_the_published_form_clash_here(
    published: dict[str, JsonObject], first: str, second: str
) -> None:
    # given two contexts, of which the second may redefine protected terms of the first
    expected = Processor(published).meaning([first, second], scopes=False)
    # when they are compiled one after the other
    compiler = Compiler(Contexts.bundled())
    try:
        compiler.named(compiler.named(compiler.initial, first), second)
        clash = False
    except JsonLdError:
        clash = True
    # then both agree on whether that is allowed
    assert clash == (expected == "protected term redefinition")


def test_contexts_that_badges_use_together_do_not_clash(published: dict[str, JsonObject]) -> None:
    compiler = Compiler(Contexts.bundled())
    theirs = Processor(published)
    suites = [url for url in Contexts.bundled().urls() if "w3id.org/security" in url]
    for name in ("context-3.0.1.json", "context-3.0.2.json", "context-3.0.3.json"):
        for base in (VC_1, VC_2):
            for suite in suites:
                urls = [base, OB + name, suite]
                expected = theirs.meaning(urls, scopes=False)
                active: ActiveContext | None = compiler.initial
                for url in urls:
                    try:
                        active = compiler.named(active, url) if active else None
                    except JsonLdError:
                        active = None
                assert (active is None) == isinstance(expected, str), urls
                if active is not None and isinstance(expected, dict):
                    assert {term: meaning["@id"] for term, meaning in expected.items()} == {
                        name: term.iri for name, term in active.terms.items()
                    }
