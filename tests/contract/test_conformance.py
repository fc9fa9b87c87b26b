"""Every promise of the database layer, on every database that Lapel runs on: the kit, as anybody runs it."""

from __future__ import annotations

from lapel.database.conformance.suite import *  # noqa: F403 - whatever is in it
