"""One database copied into another of any kind, and the proof that nothing was lost or changed on the way."""

from __future__ import annotations

from lapel.maintenance.copying.copying import Copied, Progress, TargetNotEmpty, copy
from lapel.maintenance.copying.mark import UnfinishedCopy, refuse_unfinished, unfinished_copy
from lapel.maintenance.copying.parity import CopyDiffers, Proved
from lapel.maintenance.copying.places import BadPlace, Place, place_of
from lapel.maintenance.copying.sample import Verified
from lapel.maintenance.copying.wording import told_of

__all__ = [
    "BadPlace",
    "Copied",
    "CopyDiffers",
    "Place",
    "Progress",
    "Proved",
    "TargetNotEmpty",
    "UnfinishedCopy",
    "Verified",
    "copy",
    "place_of",
    "refuse_unfinished",
    "told_of",
    "unfinished_copy",
]
