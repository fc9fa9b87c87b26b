"""The worker process that signs for the server: `python -m lapel.credentials.signing.worker`.

It reads and writes frames: four bytes of length (big-endian), then MessagePack. For each `Work` it answers with a list
of proof values, one for each task in order, empty if the task failed. When ready, it first sends an empty list. It
exits at the end of its input.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Sequence
from typing import BinaryIO, Final

import msgspec

from lapel.credentials.constant_parts import ConstantPart, ProofOptions, SplitDocument, constant_part
from lapel.credentials.eddsa_rdfc_2022 import encode_proof_value
from lapel.credentials.keys import LocalSigner
from lapel.errors import LapelError

__all__ = ["LENGTH_BYTES", "Part", "Task", "Work", "frame", "serve"]

LENGTH_BYTES: Final = 4

_encode = msgspec.msgpack.Encoder().encode


class Part(msgspec.Struct, array_like=True, frozen=True):
    """The arguments of `constant_part`."""

    wire: msgspec.Raw
    contexts: Sequence[str]
    label: str


class Task(msgspec.Struct, array_like=True, frozen=True):
    """One document to sign.

    Attributes:
        rest: `SplitDocument.rest`.
        parts: the indices of its constant parts.
        options: the index of its proof's options.
        key: the index of the key.
    """

    rest: msgspec.Raw
    parts: Sequence[int]
    options: int
    key: int


class Work(msgspec.Struct, array_like=True, frozen=True):
    """Tasks, and what they need that has not been sent before.

    Attributes:
        parts: their indices continue those of earlier frames.
        keys: Ed25519 private keys (PKCS #8, DER), likewise.
        options: proof options; their indices start at 0 in each frame, since they are used for one second only.
    """

    parts: Sequence[Part]
    keys: Sequence[bytes]
    options: Sequence[ProofOptions]
    tasks: Sequence[Task]


def frame(message: object) -> bytes:
    """Encode a message, prefixed by its length."""
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
        answers.write(frame([_proof_value(task, work.options[task.options], parts, keys) for task in work.tasks]))
        answers.flush()


def _proof_value(task: Task, options: ProofOptions, parts: Sequence[ConstantPart], keys: Sequence[LocalSigner]) -> str:
    document = SplitDocument(msgspec.msgpack.decode(task.rest), [parts[index] for index in task.parts])
    try:
        return encode_proof_value(keys[task.key].sign(options.digest + document.digest()))
    except LapelError:  # the server then signs it itself, and reports the error with its place in the document
        return ""


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal also sends it to the server, which ends the worker
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    serve(sys.stdin.buffer, sys.stdout.buffer)
