"""Baking a credential into a PNG of 100 kB, beside pypng, which openbadgeslib bakes with; and taking it out again.

    python -m benchmarks.baking [--seconds 2]

Exits with 1 where the bar is not met.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
import time
from collections.abc import Callable

import png as pypng  # type: ignore[import-untyped]  # it has no annotations
from openbadgeslib import baking as openbadgeslib

from lapel.credentials import baking
from tests.support.badge_images import SIGNATURE, chunk, header

_LEAST_OF_PYPNG = 2.0
_IMAGE_BYTES = 100_000
_PART = 8_192
_PAYLOAD = '{"type": ["VerifiableCredential", "OpenBadgeCredential"], "proof": {"proofValue": "z' + "x" * 3_000 + '"}}'


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each is measured")
    seconds = parser.parse_args().seconds
    image = _image()
    baked = baking.bake(image, _PAYLOAD)
    assert _with_pypng(image) == baked
    ours, theirs = _rate(lambda: baking.bake(image, _PAYLOAD), seconds), _rate(lambda: _with_pypng(image), seconds)
    library = _rate(lambda: openbadgeslib.bake_png(image, _PAYLOAD, "", keyword=b"openbadgecredential"), seconds)
    print(f"{'baking a PNG of 100 kB with pypng':44}{theirs:10,.0f}/s")
    print(f"{'  with openbadgeslib':44}{library:10,.0f}/s")
    print(f"{'  with Lapel':44}{ours:10,.0f}/s   {ours / theirs:6.1f} × pypng")
    print(f"{'taking it out':44}{_rate(lambda: baking.unbake(baked), seconds):10,.0f}/s")
    sys.exit(ours < _LEAST_OF_PYPNG * theirs)


def _image() -> bytes:
    """A PNG whose pixels are noise: nothing here decodes them."""
    noise = random.Random(1).randbytes(_IMAGE_BYTES)
    pixels = b"".join(chunk(b"IDAT", noise[first : first + _PART]) for first in range(0, len(noise), _PART))
    return SIGNATURE + header(300, 300) + pixels + chunk(b"IEND")


def _with_pypng(image: bytes) -> bytes:
    """The same by pypng's chunks: read, put ours after the header, written."""
    chunks = list(pypng.Reader(bytes=image).chunks())
    chunks.insert(1, (b"iTXt", b"openbadgecredential\0\0\0\0\0" + _PAYLOAD.encode()))
    out = io.BytesIO()
    pypng.write_chunks(out, chunks)
    return out.getvalue()


def _rate(work: Callable[[], object], seconds: float) -> float:
    """How often it is done in a second, the best of five."""
    best = 0.0
    for _ in range(5):
        done, started = 0, time.perf_counter()
        while (taken := time.perf_counter() - started) < seconds / 5:
            work()
            done += 1
        best = max(best, done / taken)
    return best


if __name__ == "__main__":
    main()
