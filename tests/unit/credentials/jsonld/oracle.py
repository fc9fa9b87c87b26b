"""PyLD: what any document should become."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pyld import jsonld
from pyld.canon import URDNA2015

from lapel.credentials.jsonld import NeedsGeneralPath
from lapel.credentials.rdf.nquads import Quad, literal
from lapel.domain.json import JsonObject
from lapel.errors import LapelError

# What the map of the vectors leaves out, and the file that holds it there.
UNMAPPED = {
    "https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json": "clr-v2p0-2.0.1.json",
    "https://w3id.org/openbadges/v2": "ob-v2p0.json",
}
NEEDS_GENERAL_PATH = "needs the general path"
REFUSED = "refused"


class Oracle:
    """PyLD as it is, with nothing of ours but the writing of terms."""

    def __init__(self, documents: Mapping[str, str]) -> None:
        self._documents = documents
        self._resolver = jsonld.ContextResolver({}, self._load)

    @classmethod
    def published(cls, vectors: Path) -> Oracle:
        """Over the published contexts."""
        folder = vectors / "contexts"
        files: dict[str, str] = json.loads((folder / "map.json").read_text()) | UNMAPPED
        return cls({url: (folder / name).read_text() for url, name in files.items()})

    @classmethod
    def over(cls, documents: Mapping[str, JsonObject]) -> Oracle:
        """Over these context documents."""
        return cls({url: json.dumps(document) for url, document in documents.items()})

    def quads(self, document: JsonObject) -> list[Quad]:
        options = {"base": None, "documentLoader": self._load, "contextResolver": self._resolver}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset: Mapping[str, list[dict[str, Any]]] = jsonld.to_rdf(document, options)
        return [
            (
                _resource(triple["subject"]["value"]),
                _resource(triple["predicate"]["value"]),
                _object(triple["object"]),
                "" if name == "@default" else name,
            )
            for name, triples in dataset.items()
            for triple in triples
        ]

    def normalised(self, document: JsonObject) -> str:
        """The canonical text that PyLD itself makes, for documents without control characters.

        It is known to be wrong for those, which it leaves unescaped, and where two graphs with names that are blank
        nodes look alike.
        """
        options = {"base": None, "documentLoader": self._load, "contextResolver": self._resolver}
        text: str = jsonld.normalize(document, {**options, "algorithm": "URDNA2015", "format": "application/n-quads"})
        return text

    def _load(self, url: str, options: object) -> dict[str, Any]:
        document = json.loads(self._documents[url])
        return {"contentType": None, "contextUrl": None, "documentUrl": url, "document": document, "tag": "static"}


def _resource(value: str) -> str:
    return value if value.startswith("_:") else f"<{value}>"


def _object(term: Mapping[str, str]) -> str:
    if term["type"] != "literal":
        return _resource(term["value"])
    if "language" in term:
        return literal(term["value"], language=term["language"])
    return literal(term["value"], datatype=term["datatype"])


def canonical(quads: list[Quad]) -> str:
    """Equal for isomorphic datasets, by PyLD's URDNA2015. Literals stand for themselves, opaque."""
    dataset: dict[str, list[dict[str, dict[str, str]]]] = {}
    # PyLD counts a repeated quad twice.
    for subject, predicate, object_, graph in dict.fromkeys(quads):
        triple = {"subject": _term(subject), "predicate": _term(predicate), "object": _term(object_)}
        dataset.setdefault(graph or "@default", []).append(triple)
    # PyLD writes no quad for a graph whose name it has not seen as a term; ours always are terms.
    text: str = URDNA2015().main(dataset, {"format": "application/n-quads"})
    return text


def _term(term: str) -> dict[str, str]:
    if term.startswith("_:"):
        return {"type": "blank node", "value": term}
    if term.startswith("<"):
        return {"type": "IRI", "value": term[1:-1]}
    return {"type": "literal", "value": term, "datatype": "http://www.w3.org/2001/XMLSchema#string"}


def outcome(convert: Callable[[], list[Quad]]) -> str:
    """What became of a document: the canonical form of its quads, or that it was refused."""
    try:
        quads = convert()
    except NeedsGeneralPath:
        return NEEDS_GENERAL_PATH
    except LapelError:
        return REFUSED
    return canonical(quads)
