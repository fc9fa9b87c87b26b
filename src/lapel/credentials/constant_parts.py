"""Faster canonicalisation (RDFC-1.0) of documents that have large parts in common, which are processed only once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from lapel.credentials.baking.carrier import MAX_PAYLOAD_BYTES
from lapel.credentials.eddsa_rdfc_2022 import digest, with_value
from lapel.credentials.jsonld import Contexts, to_quads
from lapel.credentials.rdf.rdfc import Fragment, canonicalise
from lapel.domain.json import JsonObject
from lapel.errors import TooLarge

__all__ = ["ConstantPart", "ProofOptions", "SplitDocument", "constant_part"]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, eq=False)
class ConstantPart:
    """An object with an id that many documents embed: one version of an issuer's profile or of an achievement.

    Attributes:
        wire: the object as it appears in the documents.
        encoded: the same, already encoded as JSON.
        size: the size of that in bytes. In memory the object is some thirty times as large.
        contexts: the ``@context`` of those documents.
        label: the prefix of the labels of its blank nodes.
        fragment: its quads, prepared for canonicalisation.
    """

    wire: JsonObject
    encoded: msgspec.Raw
    size: int
    contexts: Sequence[str]
    label: str
    fragment: Fragment


class ProofOptions(msgspec.Struct, array_like=True, frozen=True):
    """The options of a proof, hashed in advance.

    Attributes:
        proof: the proof's members except its value.
        digest: the SHA-256 of the options' canonical form.
    """

    proof: Mapping[str, str]
    digest: bytes


class SplitDocument(msgspec.Struct, frozen=True):
    """A document without its proof, split into constant parts and the rest so that it can be signed faster.

    Attributes:
        rest: the document, with each constant part replaced by its id.
        parts: none, or the credential's issuer and its achievement.
    """

    rest: JsonObject
    parts: Sequence[ConstantPart] = ()

    @classmethod
    def of(cls, credential: JsonObject, *, issuer: ConstantPart, achievement: ConstantPart) -> SplitDocument:
        """Split a credential that embeds these parts."""
        rest = _with_parts(credential, issuer.wire["id"], {"id": achievement.wire["id"]})
        return cls(cast("JsonObject", rest), (issuer, achievement))

    def whole(self) -> JsonObject:
        """Return the document with the parts embedded."""
        if not self.parts:
            return self.rest
        issuer, achievement = self.parts
        return cast("JsonObject", _with_parts(self.rest, issuer.wire, achievement.wire))

    def signed(self, options: ProofOptions, proof_value: str) -> bytes:
        """Return the whole document with its proof as it is stored and served: UTF-8 JSON."""
        document: Mapping[str, object] = self.rest
        if self.parts:
            document = _with_parts(self.rest, *(part.encoded for part in self.parts))
        return _encode({**document, "proof": [with_value(options.proof, proof_value)]})

    def digest(self) -> bytes:
        """Return the SHA-256 of the whole document's canonical form, 32 bytes."""
        quads = to_quads(self.rest, contexts=Contexts.bundled())
        return digest(canonicalise(quads, fragments=[part.fragment for part in self.parts]))


def _with_parts(credential: JsonObject, issuer: object, achievement: object) -> dict[str, object]:
    subject = credential["credentialSubject"]
    assert isinstance(subject, dict)
    return {**credential, "issuer": issuer, "credentialSubject": {**subject, "achievement": achievement}}


def constant_part(node: JsonObject, *, contexts: Sequence[str], label: str) -> ConstantPart:
    """Prepare an object with an id for all the documents that embed it.

    Args:
        contexts: the ``@context`` of those documents.
        label: a prefix for the labels of its blank nodes, different for each part of a document.

    Raises:
        TooLarge: a document with the object would not fit into an image.
        JsonLdError: the object contains terms that the contexts do not define.
    """
    encoded = msgspec.Raw(_encode(node))
    if (size := len(encoded)) > MAX_PAYLOAD_BYTES:
        raise TooLarge(
            f"What the credential embeds has {size:,} bytes; at most {MAX_PAYLOAD_BYTES:,} fit into an image.",
            hint="Shorten the narratives and descriptions.",
        )
    quads = to_quads({"@context": list(contexts), **node}, contexts=Contexts.bundled())
    prefix = f"_:{label}"
    renamed = (tuple(f"{prefix}{term[2:]}" if term.startswith("_:") else term for term in quad) for quad in quads)
    fragment = Fragment.of((subject, predicate, object_, graph) for subject, predicate, object_, graph in renamed)
    return ConstantPart(node, encoded, size, contexts, label, fragment)
