"""The worker process of the general path: `python -m lapel.credentials.jsonld.general_worker`.

It reads and writes lines of JSON. The first request is `{"contexts": {url: document}}`, with the contexts that are not
bundled, and is answered with `{"ready": true}`. Each further request is `{"document": …, "strict_numbers": …,
"seconds": …}`, and is answered with `{"quads": [[s, p, o, g], …]}` or `{"error": {"class", "detail", "hint",
"pointer"}}`. The process exits at the end of its input.
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
        # In case the parent no longer exists: the signal's default action ends this process.
        _alarm(request["seconds"] + 1)
        try:
            quads = general_to_quads(request["document"], contexts=contexts, strict_numbers=request["strict_numbers"])
        except LapelError as error:
            _answer(answers, {"error": _serialised(error)})
        else:
            _answer(answers, {"quads": quads})
        _alarm(0)


def _serialised(error: LapelError) -> dict[str, str | None]:
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
    except ImportError:  # not available on this system
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


if __name__ == "__main__":
    _limit_memory()
    serve(sys.stdin, sys.stdout)
