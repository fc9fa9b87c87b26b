"""Generate the documentation of the settings from their definitions: ``python -m lapel.config.reference``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from lapel.config.oidc import OidcSettings
from lapel.config.rules import DefaultInWords, plain_types
from lapel.config.settings import Settings

__all__ = ["SettingDescription", "describe_settings", "render_settings"]


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """The documentation of one setting.

    Attributes:
        name: the environment variable.
        values: its possible values.
        default: in Markdown; ``-`` if there is none.
        text: what it does, in Markdown.
        secret: its value is never shown.
    """

    name: str
    values: str
    default: str
    text: str
    secret: bool


def describe_settings() -> list[SettingDescription]:
    """Describe every setting, in the order of the documentation: those of access tokens come last."""
    oidc = OidcSettings.model_fields
    others = {name: field for name, field in Settings.model_fields.items() if name not in oidc}
    return [
        SettingDescription(
            name=str(field.validation_alias),
            values=_values(field),
            default=_default(field),
            text=field.description or "",
            secret=SecretStr in plain_types(field.annotation),
        )
        for field in (*others.values(), *oidc.values())
    ]


def render_settings() -> str:
    """Return the content of ``docs/settings.md``."""
    lines = [
        "# Settings",
        "",
        "Lapel is configured by environment variables, which are read once at the start. An empty variable counts as",
        "not set; with a wrong one Lapel does not start, and says which one it is and what it should be.",
        "",
        "<!-- Made by `python -m lapel.config.reference > docs/settings.md`. -->",
        "",
        "| variable | values | default | |",
        "|---|---|---|---|",
    ]
    for setting in describe_settings():
        values = f"{setting.values} (secret)" if setting.secret else setting.values
        lines.append(f"| `{setting.name}` | {values} | {setting.default} | {setting.text} |")
    return "\n".join([*lines, ""])


def _values(field: FieldInfo) -> str:
    bounds = {key: getattr(rule, key) for rule in field.metadata for key in ("ge", "le") if hasattr(rule, key)}
    (kind, *_) = plain_types(field.annotation)
    if kind is bool:
        return "`true`, `false`"
    if kind is int:
        return f"{bounds['ge']} to {bounds['le']}"
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    return "a path" if kind is Path else "text"


def _default(field: FieldInfo) -> str:
    for rule in field.metadata:
        if isinstance(rule, DefaultInWords):
            return rule.text
    if field.default is None:
        return "-"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


if __name__ == "__main__":
    sys.stdout.write(render_settings())
