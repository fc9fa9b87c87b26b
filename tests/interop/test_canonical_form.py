"""What is hashed and signed is the same text, byte for byte, for jsonld.js and rdf-canonize."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given

from lapel.credentials.jsonld import Contexts, NeedsGeneralPath, general_to_quads, to_quads
from lapel.credentials.rdf.nquads import Quad
from lapel.credentials.rdf.rdfc import canonicalise
from lapel.errors import LapelError
from tests.interop.documents import DOCUMENTS
from tests.interop.peer import Peer, PeerRefused
from tests.unit.credentials.jsonld.badges import Node, credentials, mutated
from tests.unit.credentials.jsonld.other_documents import in_every_script, others, twins

CONTEXTS = Contexts.bundled()
GIVEN_UP = "Maximum deep iterations exceeded"
"""The peer gives up on many look-alikes sooner than Lapel does."""


def theirs(peer: Peer, document: Node) -> str | None:
    """The canonical form; None if it is refused."""
    try:
        return peer("canonise", document=document) or None
    except PeerRefused as refused:
        assume(GIVEN_UP not in str(refused))
        return None


def ours(document: Node) -> str | None:
    """The canonical form; None if it is refused."""
    quads: list[Quad]
    try:
        try:
            quads = to_quads(document, contexts=CONTEXTS, strict_numbers=False)
        except NeedsGeneralPath:
            quads = general_to_quads(document, contexts=CONTEXTS, strict_numbers=False)
    except LapelError:
        return None
    return canonicalise(quads)


def has_no_noncharacters(document: Node) -> bool:
    """The canonical form escapes U+FFFE and U+FFFF (RDFC-1.0, section 5), which the peer leaves as they are."""
    text = json.dumps(document, ensure_ascii=False)
    return "\ufffe" not in text and "\uffff" not in text


@pytest.mark.parametrize("name", DOCUMENTS)
def test_of_every_shape(peer: Peer, name: str) -> None:
    expected = theirs(peer, DOCUMENTS[name])
    assert expected is not None
    assert ours(DOCUMENTS[name]) == expected


@given(document=(credentials() | others | twins() | in_every_script()).filter(has_no_noncharacters))
def test_of_everything_that_has_a_meaning(peer: Peer, document: Node) -> None:
    assert ours(document) == theirs(peer, document)


@given(document=mutated().filter(has_no_noncharacters))
def test_of_badges_that_somebody_has_changed(peer: Peer, document: Node) -> None:
    """Lapel may refuse more, such as a reference to nothing, and never less."""
    text = ours(document)
    assume(text is not None)
    assert theirs(peer, document) == text
