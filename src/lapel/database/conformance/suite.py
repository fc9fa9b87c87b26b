"""All conformance tests, under names that pytest collects. A test file runs them with ``from … import *``."""

from __future__ import annotations

import importlib
import pkgutil

from lapel.database import conformance

_MODULES = [
    importlib.import_module(f"{conformance.__name__}.{found.name}")
    for found in pkgutil.iter_modules(conformance.__path__)
    if found.name not in ("plugin", "suite")
]
_RULES = {
    f"Test{name.removesuffix('Rules')}": rules
    for module in _MODULES
    for name, rules in vars(module).items()
    if name.endswith("Rules") and isinstance(rules, type) and rules.__module__ == module.__name__
}
globals().update(_RULES)

__all__ = list(_RULES)
