"""Compares a database's schema with that of `lapel.database.tables`, both as described by the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lapel.database.migrations.runner import STAMP
from lapel.database.schema.catalogue import ACTING, Fact, Finding

__all__ = ["compare_schemas"]

_OPTIONAL_HINT = "Give it a default, or allow null."
_DROP_HINT = "Find out who made it, and drop it. Keep what is yours beside Lapel's schema, not in it."
_BY_HAND = "Restore a backup, or repair it by hand with the server stopped."


def compare_schemas(live: set[Fact], expected: set[Fact], statements: Sequence[str]) -> Iterator[Finding]:
    """Yield the differences. Additional objects are notes, unless they prevent inserts or change rows by themselves.

    Args:
        statements: the statements that create the expected schema.
    """
    existing = {fact[:3]: fact for fact in live if fact.table != STAMP or fact.kind in ACTING}
    declared = {fact[:3]: fact for fact in expected}
    # Of tables that only one side has, the parts are not compared.
    common = {fact.table for fact in live if fact.kind == "table"} & {fact.table for fact in expected}
    for key, fact in sorted(declared.items()):
        actual = existing.get(key)
        if actual == fact or (fact.kind != "table" and fact.table not in common):
            continue
        if actual is None:
            code, detail = "missing_in_schema", f"The {fact} is missing: {fact.definition or 'all of it'}."
        else:
            code, detail = "different_schema", f"The {fact} is “{actual.definition}”; it should be “{fact.definition}”."
        yield Finding(code=code, about=str(fact), detail=detail, hint=_repair_hint(fact, statements))
    for key, fact in sorted(existing.items()):
        if key in declared or (fact.kind not in {"table", *ACTING} and fact.table not in common):
            continue
        is_optional = (fact.table, "default", fact.name) in existing or not fact.definition.endswith("not null")
        detail = f"The {fact} is not Lapel's"
        if fact.kind == "column" and not is_optional:
            code, detail, hint = "obligatory_column", f"{detail}, and refuses every new row", _OPTIONAL_HINT
        elif fact.kind in ACTING:
            code, hint = f"undeclared_{fact.kind}", _DROP_HINT
            detail = f"{detail}, and may change what is stored or seen"
        else:
            code, hint = "not_ours", "Leave it if it is yours; look at it first if something is refused."
        yield Finding(code=code, about=str(fact), detail=f"{detail}.", hint=hint, is_note=code == "not_ours")


def _repair_hint(fact: Fact, statements: Sequence[str]) -> str:
    for statement in statements if fact.kind == "index" else ():
        if f"INDEX {fact.name} ON" in statement:
            return f"Run `{statement};` (drop one of that name first)."
    return _BY_HAND
