"""Documents that have large parts in common, canonicalised without doing those again (RDFC-1.0)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from lapel.credentials.baking.carrier import MAX_PAYLOAD_BYTES
from lapel.credentials.eddsa_rdfc_2022 import digest
from lapel.credentials.jsonld import Contexts, to_quads
from lapel.credentials.rdfc import Fragment, canonicalise
from lapel.domain.json import JsonObject
from lapel.errors import TooLarge

__all__ = ["ConstantPart", "Reduced", "constant_part"]


@dataclass(frozen=True, slots=True, eq=False)
class ConstantPart:
    """An object with an id that many documents embed: an issuer's profile or an achievement, of one version.

    Attributes:
        wire: as it stands in the documents.
        size: bytes that it takes there. In memory it is some thirty times as large.
        contexts: the ``@context`` of those documents.
        label: marks its blank nodes.
        fragment: its quads, prepared.
    """

    wire: JsonObject
    size: int
    contexts: Sequence[str]
    label: str
    fragment: Fragment


@dataclass(frozen=True, slots=True)
class Reduced:
    """A document taken apart, to be canonicalised faster: what many documents share is prepared once.

    Attributes:
        rest: the document, with only the id of each constant part in the part's place.
        parts: the constant parts.
    """

    rest: JsonObject
    parts: Sequence[ConstantPart] = ()

    @classmethod
    def of(cls, credential: JsonObject, *, issuer: ConstantPart, achievement: ConstantPart) -> Reduced:
        """A credential without its proof, of which its issuer and its achievement are constant parts."""
        subject = credential["credentialSubject"]
        assert isinstance(subject, dict)
        rest = {
            **credential,
            "issuer": issuer.wire["id"],
            "credentialSubject": {**subject, "achievement": {"id": achievement.wire["id"]}},
        }
        return cls(rest, (issuer, achievement))

    def digest(self) -> bytes:
        """The SHA-256 of the whole document's canonical form, 32 bytes."""
        quads = to_quads(self.rest, contexts=Contexts.bundled())
        return digest(canonicalise(quads, fragments=[part.fragment for part in self.parts]))


def constant_part(node: JsonObject, *, contexts: Sequence[str], label: str) -> ConstantPart:
    """An object with an id, prepared once for all the documents that embed it.

    Args:
        contexts: the ``@context`` of those documents.
        label: marks this part's blank nodes; no two parts of one document may have the same.

    Raises:
        TooLarge: no document with it would fit into an image.
        JsonLdError: the object says something that the contexts do not define.
    """
    size = len(msgspec.json.encode(node))
    if size > MAX_PAYLOAD_BYTES:
        raise TooLarge(
            f"What the credential embeds has {size:,} bytes; at most {MAX_PAYLOAD_BYTES:,} fit into an image.",
            hint="Shorten the narratives and descriptions.",
        )
    quads = to_quads({"@context": list(contexts), **node}, contexts=Contexts.bundled())
    own = f"_:{label}"
    renamed = (tuple(f"{own}{term[2:]}" if term.startswith("_:") else term for term in quad) for quad in quads)
    fragment = Fragment.of((subject, predicate, object_, graph) for subject, predicate, object_, graph in renamed)
    return ConstantPart(node, size, contexts, label, fragment)
