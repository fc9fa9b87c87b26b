"""``lapel demo``."""

from __future__ import annotations

from lapel.cli.running import run

__all__ = ["demo"]


def demo() -> None:
    """Fill an empty server with an example issuer, achievements and credentials, and print their addresses."""
    from lapel.cli.demonstration import fill

    run(fill, make=True)
