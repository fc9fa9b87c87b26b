"""The schema that is there against the one of `lapel.database.tables`: both told by the database, in its own words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lapel.database.migrations.runner import STAMP
from lapel.database.schema.catalogue import ACTING, Fact, Finding

__all__ = ["compared"]

_LET_IT_BE_LEFT_OUT = "Give it a default, or allow null."
_DROP_IT = "Find out who made it, and drop it. Keep what is yours beside Lapel's schema, not in it."
_BY_HAND = "Restore a backup, or repair it by hand with the server stopped."


def compared(live: set[Fact], wanted: set[Fact], statements: Sequence[str]) -> Iterator[Finding]:
    """What differs. What is there besides is an operator's own business, and a note, unless nothing can be stored
    or it acts by itself.

    Args:
        statements: those that make what is wanted.
    """
    there = {fact[:3]: fact for fact in live if fact.table != STAMP or fact.kind in ACTING}
    due = {fact[:3]: fact for fact in wanted}
    whole = {fact.table for fact in live if fact.kind == "table"} & {
        fact.table for fact in wanted
    }  # of others, the table says it all
    for key, fact in sorted(due.items()):
        found = there.get(key)
        if found == fact or (fact.kind != "table" and fact.table not in whole):
            continue
        if found is None:
            code, detail = "missing_in_schema", f"The {fact} is missing: {fact.definition or 'all of it'}."
        else:
            code, detail = "different_schema", f"The {fact} is “{found.definition}”; it should be “{fact.definition}”."
        yield Finding(code=code, about=str(fact), detail=detail, hint=_mending(fact, statements))
    for key, fact in sorted(there.items()):
        if key in due or (fact.kind not in {"table", *ACTING} and fact.table not in whole):
            continue
        can_be_left_out = (fact.table, "default", fact.name) in there or not fact.definition.endswith("not null")
        detail = f"The {fact} is not Lapel's"
        if fact.kind == "column" and not can_be_left_out:
            code, detail, hint = "obligatory_column", f"{detail}, and refuses every new row", _LET_IT_BE_LEFT_OUT
        elif fact.kind in ACTING:
            code, detail, hint = f"undeclared_{fact.kind}", f"{detail}, and may change what is stored or seen", _DROP_IT
        else:
            code, hint = "not_ours", "Leave it if it is yours; look at it first if something is refused."
        yield Finding(code=code, about=str(fact), detail=f"{detail}.", hint=hint, is_note=code == "not_ours")


def _mending(fact: Fact, statements: Sequence[str]) -> str:
    for statement in statements if fact.kind == "index" else ():
        if f"INDEX {fact.name} ON" in statement:
            return f"Run `{statement};` (drop one of that name first)."
    return _BY_HAND
