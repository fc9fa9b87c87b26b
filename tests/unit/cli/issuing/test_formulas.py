"""What a spreadsheet program would take for a formula is text, and comes back as it was."""

from __future__ import annotations

import pytest

from lapel.cli.issuing.formulas import defuse, restore


@pytest.mark.parametrize(
    "cell", ['=HYPERLINK("https://x.example")', "+1+1", "-cmd", "@SUM(A1)", "\tx", "\rx", "=", "--1", "'=x", "''-5"]
)
def test_a_formula_gets_an_apostrophe_and_loses_it_again(cell: str) -> None:
    assert defuse(cell) == f"'{cell}"
    assert restore(defuse(cell)) == cell
    assert restore(defuse(defuse(cell))) == defuse(cell)


@pytest.mark.parametrize("cell", ["", "s-1", "-5", "+41791234567", "-1,5", "+2.25", "O'Brien", "'twas", "a=b", "'"])
def test_anything_else_stays_as_it_is(cell: str) -> None:
    assert defuse(cell) == cell
    assert restore(cell) == cell
