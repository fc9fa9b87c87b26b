"""Documents that have large parts in common, canonicalised without doing those again (RDFC-1.0)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from lapel.credentials.baking.carrier import MAX_PAYLOAD_BYTES
from lapel.credentials.eddsa_rdfc_2022 import digest, with_value
from lapel.credentials.jsonld import Contexts, to_quads
from lapel.credentials.rdf.rdfc import Fragment, canonicalise
from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import TooLarge

__all__ = ["ConstantPart", "ProofOptions", "Reduced", "constant_part"]

_encode = msgspec.json.Encoder().encode


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


class ProofOptions(msgspec.Struct, array_like=True, frozen=True):
    """The options of a proof, ready to sign with.

    Attributes:
        proof: the proof's members, but for its value.
        digest: the SHA-256 of the options' canonical form.
    """

    proof: Mapping[str, str]
    digest: bytes


class Reduced(NamedTuple):
    """A document without its proof, taken apart to be signed faster: what many documents share is prepared once.

    Attributes:
        rest: the document, with only the id of each constant part in the part's place.
        parts: none, or the credential's issuer and its achievement.
    """

    rest: JsonObject
    parts: Sequence[ConstantPart] = ()

    @classmethod
    def of(cls, credential: JsonObject, *, issuer: ConstantPart, achievement: ConstantPart) -> Reduced:
        """A whole credential, of which its issuer and its achievement are constant parts."""
        return cls(_with(credential, issuer.wire["id"], {"id": achievement.wire["id"]}), (issuer, achievement))

    def whole(self) -> JsonObject:
        """The document with each part in its place."""
        if not self.parts:
            return self.rest
        issuer, achievement = self.parts
        return _with(self.rest, issuer.wire, achievement.wire)

    def signed(self, options: ProofOptions, proof_value: str) -> bytes:
        """The whole document with its proof, as it is stored and served: UTF-8 JSON."""
        return _encode({**self.whole(), "proof": [with_value(options.proof, proof_value)]})

    def digest(self) -> bytes:
        """The SHA-256 of the whole document's canonical form, 32 bytes."""
        quads = to_quads(self.rest, contexts=Contexts.bundled())
        return digest(canonicalise(quads, fragments=[part.fragment for part in self.parts]))


def _with(credential: JsonObject, issuer: JsonValue, achievement: JsonObject) -> JsonObject:
    subject = credential["credentialSubject"]
    assert isinstance(subject, dict)
    return {**credential, "issuer": issuer, "credentialSubject": {**subject, "achievement": achievement}}


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
