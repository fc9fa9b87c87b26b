"""The process that runs the general path: `python -m lapel.credentials.jsonld.general_worker`.

JSON lines over its pipes. The first line in is `{"contexts": {url: document}}`, those that are not bundled; it answers
`{"ready": true}`. Each further line is `{"document": …, "strict_numbers": …, "seconds": …}`, and is answered with
`{"quads": [[s, p, o, g], …]}` or `{"error": {"class", "detail", "hint", "pointer"}}`. It ends with its input.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import Final, TextIO

from lapel.credentials.jsonld.contexts import Contexts
from lapel.credentials.jsonld.general import general_to_quads
from lapel.errors import LapelError

__all__ = ["serve"]

MEMORY_BYTES: Final = 2 * 1024**3


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer requests until there are no more."""
    first = json.loads(next(requests))
    bundled = Contexts.bundled()
    contexts = bundled.with_documents(first["contexts"])
    _answer(answers, {"ready": True})
    for line in requests:
        request = json.loads(line)
        # A second guard should the parent be gone: the signal's default action ends the process.
        _alarm(request["seconds"] + 1)
        try:
            quads = general_to_quads(request["document"], contexts=contexts, strict_numbers=request["strict_numbers"])
        except LapelError as error:
            _answer(answers, {"error": _described(error)})
        else:
            _answer(answers, {"quads": quads})
        _alarm(0)


def _described(error: LapelError) -> dict[str, str | None]:
    return {
        "class": type(error).__name__,
        "detail": error.detail,
        "hint": error.hint,
        "pointer": getattr(error, "pointer", ""),
    }


def _answer(answers: TextIO, message: object) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _alarm(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on this system
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


if __name__ == "__main__":
    _limit_memory()
    serve(sys.stdin, sys.stdout)
