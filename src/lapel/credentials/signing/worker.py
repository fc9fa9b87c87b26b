"""The process that signs beside the server: `python -m lapel.credentials.signing.worker`.

Over its pipes go frames: four bytes of length (big-endian), then MessagePack. In comes `Work`; each is answered with a
list of signed documents (JSON), one for each of its tasks in order, and an empty one for what cannot be signed. The
first frame out is an empty list: it is ready. It ends with its input.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Sequence
from typing import BinaryIO, Final

import msgspec

from lapel.credentials.constant_parts import ConstantPart, ProofOptions, Reduced, constant_part
from lapel.credentials.eddsa_rdfc_2022 import encode_proof_value
from lapel.credentials.keys import LocalSigner
from lapel.errors import LapelError

__all__ = ["LENGTH_BYTES", "Part", "Task", "Work", "frame", "serve"]

LENGTH_BYTES: Final = 4

_encode = msgspec.msgpack.Encoder().encode


class Part(msgspec.Struct, array_like=True, frozen=True):
    """What `constant_part` is given."""

    wire: msgspec.Raw
    contexts: Sequence[str]
    label: str


class Task(msgspec.Struct, array_like=True, frozen=True):
    """One document to sign.

    Attributes:
        rest: `Reduced.rest`.
        parts: the numbers of its constant parts.
        options: the number of its proof's options.
        key: the number of the key.
    """

    rest: msgspec.Raw
    parts: Sequence[int]
    options: int
    key: int


class Work(msgspec.Struct, array_like=True, frozen=True):
    """Tasks, and what they need that was not sent before.

    Attributes:
        parts: numbered on from those that were sent before.
        keys: Ed25519 private keys (PKCS #8, DER), likewise.
        options: of proofs; numbered from 0 in each frame, for they hold for a second.
    """

    parts: Sequence[Part]
    keys: Sequence[bytes]
    options: Sequence[ProofOptions]
    tasks: Sequence[Task]


def frame(message: object) -> bytes:
    """The message with its length before it."""
    content = _encode(message)
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    decode = msgspec.msgpack.Decoder(Work).decode
    parts: list[ConstantPart] = []
    keys: list[LocalSigner] = []
    answers.write(frame([]))
    answers.flush()
    while length := requests.read(LENGTH_BYTES):
        work = decode(requests.read(int.from_bytes(length, "big")))
        for part in work.parts:
            wire = msgspec.msgpack.decode(part.wire)
            parts.append(constant_part(wire, contexts=part.contexts, label=part.label))
        keys.extend(map(LocalSigner, work.keys))
        answers.write(frame([_signed(task, work.options[task.options], parts, keys) for task in work.tasks]))
        answers.flush()


def _signed(task: Task, options: ProofOptions, parts: Sequence[ConstantPart], keys: Sequence[LocalSigner]) -> bytes:
    reduced = Reduced(msgspec.msgpack.decode(task.rest), [parts[number] for number in task.parts])
    try:
        value = encode_proof_value(keys[task.key].sign(options.digest + reduced.digest()))
    except LapelError:  # whoever asked meets it again, and can say where in the document it is
        return b""
    return reduced.signed(options, value)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the server, too, which ends us
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    serve(sys.stdin.buffer, sys.stdout.buffer)
