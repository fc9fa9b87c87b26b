"""The command line: one module per group of commands."""

from __future__ import annotations

from lapel.cli.entry import main

__all__ = ["main"]
