"""No mutation of a genuine badge is a surprise: it is refused in good time, or means what the badge means.

20,000 of them in `scripts/test`, a million in `scripts/test-long`, and as many of hosted badges in proportion. Each is
made from its number: to see one again, run `mutant(kind, number)`.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cache, lru_cache
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lapel.credentials import data_integrity, keys
from lapel.credentials.baking import bake
from lapel.credentials.jose import vc_jwt
from lapel.credentials.jsonld import Contexts, general_to_quads
from lapel.credentials.rdf.nquads import Quad
from lapel.credentials.rdf.rdfc import canonicalise
from lapel.domain.json import JsonObject
from lapel.errors import LapelError
from lapel.services.verifying.reading import Document, Input, Token, read_input
from lapel.services.verifying.report import Problem
from tests.support.badge_images import SVG, itxt, png
from tests.unit.credentials.jsonld.oracle import Oracle
from tests.unit.services.verifying.badges_2 import assertion, publish_hosted
from tests.unit.services.verifying.mutants import mutate_bytes, mutate_json, mutate_png, mutate_token
from tests.unit.services.verifying.test_mutations import rich_badge
from tests.unit.services.verifying.world import World

BATCH = 5_000
LONG = 250_000
MOST_SECONDS = 2.0


@dataclass(frozen=True)
class Originals:
    """A world, and badges of it that verify: as JSON and as tokens, and one of Open Badges 2.0."""

    world: World
    documents: tuple[dict[str, Any], ...]
    tokens: tuple[str, ...]


@cache
def originals() -> Originals:
    world = World()
    world.verifying = world.new_verifying(general_path=GeneralPathHere(), time_limit=60)
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))  # always the same, so that every mutant is
    pkcs8 = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    world.signer = keys.LocalSigner(pkcs8)
    world.publish_issuer()
    world.publish_list()
    publish_hosted(world)
    listed = world.badge()
    rich = rich_badge(world) | {"issuer": {"id": world.did, "type": ["Profile"], "name": "The School"}}
    del rich["credentialStatus"]
    method = f"{world.did}#{world.multikey}"
    return Originals(
        world,
        (world.sign(listed), world.sign(rich, method_id=method)),
        (world.token(listed), world.token(rich, kid=method)),
    )


def mutant(kind: str, number: int) -> tuple[Input, bytes]:
    """What was a badge, and what has become of it."""
    random = Random(f"{kind} {number}")  # noqa: S311 - reproducible, and no secret
    # Most of them without a status list, which takes most of the time.
    which = random.choice((0, 1, 1, 1))
    document, token = originals().documents[which], originals().tokens[which]
    text = json.dumps(document) if random.randrange(2) else token
    match kind:
        case "json":
            changed = mutate_json(document, random) if random.randrange(2) else _bytes(json.dumps(document), random)
            return Document(document), changed
        case "token":
            return Token(token), mutate_token(token, random)
        case "hosted":
            changed = (
                mutate_json(assertion(), random) if random.randrange(2) else _bytes(json.dumps(assertion()), random)
            )
            return Document(assertion()), _svg(changed) if random.randrange(2) else changed
    # Of an image either what it carries is changed, or the image.
    if random.randrange(2):
        image = _baked(kind, text)
        return read_input(text), mutate_png(image, random) if kind == "png" else mutate_bytes(image, random)
    changed = mutate_json(document, random) if text.startswith("{") else mutate_token(token, random)
    return read_input(text), png(itxt(b"openbadgecredential", changed)) if kind == "png" else _svg(changed)


def _bytes(text: str, random: Random) -> bytes:
    return mutate_bytes(text.encode(), random)


@cache
def _baked(kind: str, payload: str) -> bytes:
    return bake(png() if kind == "png" else SVG, payload)


def _svg(payload: bytes) -> bytes:
    """An image with this in it, whatever it is."""
    before, mark, after = _baked("svg", '{"is": "here"}').partition(b'{"is": "here"}')
    assert before.endswith(b"<![CDATA[")
    assert mark
    return before + payload.replace(b"]]>", b"]]]]><![CDATA[>") + after


def same(given: Input, original: Input) -> bool:
    """Whether both say the same, by an independent processor; proofs may have been added, but none exchanged."""
    if isinstance(given, Token) and isinstance(original, Token):
        mine, other = vc_jwt.decode(given.value), vc_jwt.decode(original.value)
        return (mine.header, mine.claims, mine.signature) == (other.header, other.claims, other.signature)
    if isinstance(given, Document) and isinstance(original, Document):
        # Of a hosted badge its host's word counts, not what was handed in.
        if given == original or original.value.get("type") == "Assertion":
            return True
        said, proofs = meaning(json.dumps(given.value))
        first, first_proofs = meaning(json.dumps(original.value))
        return said == first and proofs >= first_proofs
    return False


PYLD = Oracle.over({url: Contexts.bundled().document(url) for url in Contexts.bundled().urls()})


@lru_cache(maxsize=8)
def meaning(text: str) -> tuple[str, set[tuple[str, Any]]]:
    """What the document says, and its proofs, each as what it says of itself and its value."""
    document = json.loads(text)

    def canonical(part: JsonObject) -> str:
        return canonicalise(PYLD.quads(part))

    proofs = data_integrity.proofs_of(document)
    return canonical(data_integrity.unsecured(document)), {
        (canonical(data_integrity.options_of(proof, document)), proof.get("proofValue")) for proof in proofs
    }


class GeneralPathHere:
    """The general path in this process, where the processor's time can be counted: a busy machine is no slow code."""

    async def to_quads(self, document: JsonObject, *, strict_numbers: bool = True) -> list[Quad]:
        return general_to_quads(document, contexts=Contexts.bundled(), strict_numbers=strict_numbers)


class Tally:
    """What became of the mutants of one batch."""

    def __init__(self) -> None:
        self.unreadable = self.refused = self.genuine = 0

    async def verify(self, world: World, original: Input, changed: bytes) -> None:
        started = time.process_time()
        try:
            report = await world.verify(changed)
        except LapelError:  # it cannot be read, and says why
            self.unreadable += 1
            return
        finally:
            assert time.process_time() - started < MOST_SECONDS
        assert not [check for check in report.checks if check.problem is Problem.TIMED_OUT]
        if report.valid:
            self.genuine += 1
            assert same(read_input(changed), original)
        else:
            self.refused += 1


BATCHES = [
    pytest.param(number, id=str(number), marks=[pytest.mark.long] if number else []) for number in range(0, LONG, BATCH)
]


@pytest.mark.parametrize("start", BATCHES)
@pytest.mark.parametrize("kind", ["json", "token", "png", "svg", "hosted"])
async def test_no_mutation_is_a_surprise(kind: str, start: int) -> None:
    world, tally = originals().world, Tally()
    for number in range(start, start + BATCH):
        original, changed = mutant(kind, number)
        try:
            await tally.verify(world, original, changed)
        except BaseException as error:
            error.add_note(f"mutant({kind!r}, {number}) is {changed[:3000]!r}")
            raise

    # Most have been damaged, some only spelled otherwise, so that both sides have been seen.
    assert tally.unreadable + tally.refused > BATCH // 2
    assert tally.refused > BATCH // 10
    assert tally.genuine > BATCH // 100


async def test_the_originals_verify() -> None:
    world = originals().world
    for text in (*map(json.dumps, (*originals().documents, assertion())), *originals().tokens):
        for badge in (text, _baked("png", text), _baked("svg", text), _svg(text.encode())):
            assert (await world.verify(badge)).valid is True
