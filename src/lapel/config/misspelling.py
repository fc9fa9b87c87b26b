"""Find misspelt settings in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches

from lapel.config.settings import Settings

__all__ = ["misspelt_settings"]


def misspelt_settings(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return a sentence for each variable in `environ` whose name is similar to a setting's."""
    variables = os.environ if environ is None else environ
    names = [str(field.validation_alias) for field in Settings.model_fields.values()]
    unknown = [name for name in sorted(variables) if name.startswith(("LAPEL_", "DB_")) and name not in names]
    return tuple(
        f"{name} is not a setting; did you mean {close[0]}?"
        for name in unknown
        if (close := get_close_matches(name, names, n=1, cutoff=0.8))
    )
