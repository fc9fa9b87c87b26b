"""What docs/access.md says of roles and of an identity provider, compared with the code."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from lapel.config import load_settings
from lapel.domain.access import Role, Scope, scopes_of
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from tests.docs.test_operating import block, environment

PAGE = Path(__file__).resolve().parents[2] / "docs" / "access.md"
ANOTHER = DEFAULT_ORGANISATION_ID.__class__(int=1)


def _cell(role: Role, scope: Scope) -> str:
    if scope in scopes_of(role, ANOTHER):
        return "yes"
    return "default organisation" if scope in scopes_of(role, DEFAULT_ORGANISATION_ID) else ""


def test_the_table_of_roles_is_what_the_code_does() -> None:
    rows = re.findall(r"^\| `([a-z:]+)` \|(.*)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    scopes = [(name, cells.split("|")) for name, cells in rows if ":" in name or name == "read"]
    said = {name: [cell.strip() for cell in cells[:4]] for name, cells in scopes}
    assert said == {scope.value: [_cell(role, scope) for role in Role] for scope in Scope}


def test_the_settings_of_the_example_are_good_ones() -> None:
    lines = re.findall(r"^export (\w+)='?(.*?)'?$", block("oidc", PAGE), re.MULTILINE)
    settings = load_settings(dict(lines))
    assert settings.oidc_issuer == "https://id.example.org/realms/school"
    assert settings.oidc_roles == {"badge-admins": "admin", "teachers": "issuer"}


def test_an_organisation_is_made_as_it_says(tmp_path: Path) -> None:
    script = f"set -euo pipefail\nlapel db migrate\n{block('organisations', PAGE)}"
    made = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    assert "Riverside School" in made.stdout
