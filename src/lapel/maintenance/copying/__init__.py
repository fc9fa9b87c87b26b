"""Copies a database into another one of any kind, and verifies that nothing was lost or changed."""

from __future__ import annotations

from lapel.maintenance.copying.addresses import BadDatabaseAddress, DatabaseAddress, parse_address
from lapel.maintenance.copying.copying import Copied, Progress, TargetNotEmpty, copy
from lapel.maintenance.copying.error_context import errors_about
from lapel.maintenance.copying.mark import UnfinishedCopy, refuse_unfinished, unfinished_copy
from lapel.maintenance.copying.parity import CopyDiffers, TableDigest
from lapel.maintenance.copying.sample import SampleResult

__all__ = [
    "BadDatabaseAddress",
    "Copied",
    "CopyDiffers",
    "DatabaseAddress",
    "Progress",
    "SampleResult",
    "TableDigest",
    "TargetNotEmpty",
    "UnfinishedCopy",
    "copy",
    "errors_about",
    "parse_address",
    "refuse_unfinished",
    "unfinished_copy",
]
