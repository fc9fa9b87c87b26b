"""What docs/signing-keys.md tells an operator to type, typed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.docs.test_operating import block, environment

KEYS = Path(__file__).resolve().parents[2] / "docs" / "signing-keys.md"


def test_keys_are_rotated_handed_out_and_held_elsewhere(tmp_path: Path) -> None:
    script = f"""
    set -euo pipefail
    trap 'kill $(jobs -p) 2>/dev/null' EXIT
    ISSUER=$(lapel demo | awk '/^Issuer/ {{ print $2 }}')
    {block("keys", KEYS)}
    {block("signer", KEYS)}
    """
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1].split()
    assert last[1:4] == ["Ed25519", "active", "outside"]
    assert len(list((tmp_path / "signing-keys").glob("*.pem"))) == 1
    assert (tmp_path / "key.pem").read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
