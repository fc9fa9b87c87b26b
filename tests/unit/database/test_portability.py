"""What of our SQL other engines lack, as docs/compatible-engines.md says it: read from all the SQL that Lapel sends."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache

import pytest

from tests.support.sent_sql import sent_sql
from tests.support.source_tree import REPOSITORY, expect_none

PAGE = "docs/compatible-engines.md"
VERDICTS = {"yes", "no", "partly"}
DDL = r"^(CREATE|ALTER|DROP) "

CONSTRUCTS = {
    "`LISTEN`, `NOTIFY`": r"^(LISTEN|NOTIFY)\b|pg_notify\(",
    "transaction numbers and snapshots": r"pg_current_xact_id|pg_current_snapshot|pg_snapshot_|txid_|\bxmin\b|\bctid\b",
    "advisory lock of a transaction": r"pg_(try_)?advisory_xact_lock",
    "triggers in PL/pgSQL": r"CREATE TRIGGER|LANGUAGE plpgsql",
    "trigger on `TRUNCATE`, `RAISE … USING TABLE`": r"BEFORE TRUNCATE|RAISE EXCEPTION '.*' USING [^;]*TABLE",
    "`json` as it was written": r"\bJSON\b",
    "DDL in a transaction with others": DDL,
    "isolation levels": r"ISOLATION LEVEL",
    "`COPY … FROM STDIN`, binary": r"^COPY .* FROM STDIN",
    "rows of a portal by and by": r"^FETCH from a portal",
    "prepared statements of the protocol": r"^PREPARE by the protocol",
    "settings at the start of a session": r"^STARTUP parameters",
    "`SET LOCAL` of time limits": r"SET LOCAL (?!search_path)",
    "savepoints": r"\bSAVEPOINT\b",
    "`FOR UPDATE`, `FOR NO KEY UPDATE`": r"\bFOR (NO KEY )?UPDATE\b",
    "`ON CONFLICT`": r"\bON CONFLICT\b",
    "`RETURNING`": r"\bRETURNING\b",
    "indexes of some rows": r"CREATE (UNIQUE )?INDEX .* WHERE ",
    "keys without the organisation": r"(PRIMARY KEY|UNIQUE) \((?!organ)|CREATE UNIQUE INDEX \w+ ON \w+ \((?!organ)",
    "foreign keys without the organisation": r"FOREIGN KEY ?\((?!organisation_id)",
    "rows compared, `(a, b) < (c, d)`": r"\(\w+\.\w+, \w+\.\w+\) [<>] \(",
    '`COLLATE "C"`': r"\bCOLLATE\b",
    "`LOCK TABLE`": r"^LOCK\b",
    "temporary tables": r"\bpg_temp\b|\bTEMP(ORARY)?\b",
    "PostgreSQL's own catalogue": r"\bpg_get_|\bpg_(constraint|depend|index|trigger|rewrite|proc|attribute)\b",
    "places in the log": r"\bpg_(current_wal|last_wal|is_in_recovery|control_|logical_emit|walfile)",
    # From here on what is in no statement of ours, and would matter.
    "`SKIP LOCKED`, `NOWAIT`": r"\bSKIP LOCKED\b|\bNOWAIT\b",
    "advisory locks of a session": r"pg_(try_)?advisory_(un)?lock",
    "`SET` of a session, `RESET`, `DISCARD`": r"^\s*(SET (?!LOCAL)|RESET|DISCARD)\b|set_config\(",
    "SQL's own `PREPARE`, `EXECUTE`": r"^(PREPARE (?!by the|TRANSACTION)|EXECUTE|DEALLOCATE)\b",
    "`PREPARE TRANSACTION`": r"\b(PREPARE TRANSACTION|COMMIT PREPARED|ROLLBACK PREPARED)\b|pg_prepared_xacts",
    "cursors `WITH HOLD`": r"\bWITH HOLD\b|^DECLARE\b",
    "deferrable constraints": r"\bDEFERRABLE\b|SET CONSTRAINTS",
    "exclusion constraints": r"\bEXCLUDE USING\b",
    "cascading foreign keys": r"ON (DELETE|UPDATE) (CASCADE|SET)",
    "sequences, identity columns": r"\b(BIG)?SERIAL\b|\bnextval\(|\bIDENTITY\b|\bSEQUENCE\b",
    "generated columns": r"GENERATED ALWAYS AS \(",
    "inheritance, partitions, `UNLOGGED`": r"\bINHERITS\b|\bPARTITION BY\b|\bUNLOGGED\b",
    "types of one's own, domains, extensions": r"CREATE (TYPE|DOMAIN|EXTENSION)",
    "GIN, GiST and BRIN indexes": r"USING (gin|gist|brin|spgist)",
    "`CONCURRENTLY`": r"\bCONCURRENTLY\b",
    "recursive queries, window functions": r"\bWITH RECURSIVE\b|\bOVER \(",
    "`DISTINCT ON`": r"\bDISTINCT ON\b",
    "materialised views, rules, foreign tables": r"MATERIALIZED|CREATE RULE|FOREIGN TABLE",
    "large objects": r"\blo_\w+\(|loid",
}

# What every engine of the page has, and so is not in its tables.
WORDS = """
ADD ALL ALTER AND ANY AS BEFORE BEGIN BIGINT BOOLEAN BY BYTEA CASE CAST CHECK COLUMN COMMIT CONSTRAINT CREATE
CURRENT_TIMESTAMP DEFAULT DELETE DESC DROP EACH ELSE END EXISTS FOR FOREIGN FROM FUNCTION GROUP HAVING IF IN INDEX
INSERT INTEGER INTO IS JOIN KEY LANGUAGE LEFT LIMIT NOT NULL OLD ON ONLY OR ORDER PRIMARY READ REFERENCES RELEASE
REPLACE RETURN RETURNS ROLLBACK ROW SELECT SET STATEMENT TABLE TEXT THEN TIME TIMESTAMP TO TYPE UNION UNIQUE UPDATE
USING UUID VALUES VARCHAR WHEN WHERE WITH ZONE TRANSACTION
"""
# Words that stand only in what has a row of its own.
WORDS_OF_CONSTRUCTS = """
COLLATE CONFLICT COPY DO ERRCODE EXCEPTION EXCLUDED EXCLUSIVE EXECUTE FETCH FORMAT ISOLATION JSON LEVEL LISTEN LOCAL
LOCK MODE NO NOTHING NOTIFY ORDINALITY PREPARE RAISE RETURNING SAVEPOINT STARTUP STDIN TG_OP TRIGGER TRUNCATE
"""
FUNCTIONS = """
coalesce count length substr replace current_setting current_schema string_agg regexp_replace quote_ident format_type
unnest pg_current_xact_id pg_current_snapshot pg_snapshot_xmin pg_snapshot_xmax pg_advisory_xact_lock
pg_get_constraintdef pg_get_expr pg_get_indexdef bt_index_check audit_log_append_only bit current_database date_trunc
extract greatest now pg_backend_pid pg_control_checkpoint pg_control_recovery pg_control_system
pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn pg_is_in_recovery pg_last_wal_replay_lsn
pg_logical_emit_message pg_walfile_name to_hex
"""


@cache
def sent() -> tuple[tuple[str, str], ...]:
    return tuple(sent_sql())


def users(pattern: str) -> set[str]:
    """Where there is SQL in which it is found."""
    found = re.compile(pattern, re.MULTILINE)
    return {where for where, sql in sent() if found.search(sql)}


def rows() -> Iterator[tuple[int, list[str]]]:
    """The tables of the page that name constructs: the line's number, and its cells."""
    lines = (REPOSITORY / PAGE).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if cells and cells[0] in CONSTRUCTS:
            yield number, cells


def test_the_page_tells_of_every_construct_once() -> None:
    told = [cells[0] for _, cells in rows()]
    assert sorted(told) == sorted(CONSTRUCTS)


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_the_page_says_where_it_is_used(construct: str) -> None:
    (line, cells) = next((line, cells) for line, cells in rows() if cells[0] == construct)
    told = set(re.findall(r"`([\w/]+(?:\.py|/))`", cells[1]))
    actual = users(CONSTRUCTS[construct])
    assert told == actual, (
        f"{PAGE}:{line} says that {construct} is used in {sorted(told) or 'no statement'}. It is used in"
        f" {sorted(actual) or 'none'}: look what that means for each engine, and mend the line."
    )


def test_every_verdict_is_one_of_three_and_every_source_is_given() -> None:
    page = (REPOSITORY / PAGE).read_text(encoding="utf-8")
    judged = [(line, cells) for line, cells in rows() if len(cells) > 3]
    assert len(judged) >= 20
    wrong = []
    for line, cells in judged:
        for cell in cells[2:-1]:
            verdict, _, sources = cell.partition(" ")
            if verdict not in VERDICTS or (verdict in ("no", "partly") and not sources):
                wrong.append(f"{PAGE}:{line}: “{cell}” is no verdict with a source")
            wrong += [
                f"{PAGE}:{line}: there is no source {source}"
                for source in re.findall(r"\[([\w-]+)\]", sources)
                if f"\n[{source}]: " not in page
            ]
    expect_none(wrong)


def vocabulary(texts: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """The words of SQL and the functions in these texts, and where each is."""
    found: dict[str, set[str]] = defaultdict(set)
    for where, sql in texts:
        plain = re.sub(r"'(?:[^']|'')*'|\"[^\"]*\"", "''", sql)
        for word in re.findall(r"\b[A-Z][A-Z_]+\b|\b[a-z_]+(?=\()", plain):
            found[word].add(where)
    return found


def test_nothing_in_our_sql_has_not_been_looked_at() -> None:
    known = set(f"{WORDS} {WORDS_OF_CONSTRUCTS} {FUNCTIONS}".split())
    found = vocabulary(sent())
    expect_none(
        f"{word} is new, in {', '.join(sorted(where))}: look whether every engine of {PAGE} has it. If so, add it to"
        " WORDS or FUNCTIONS; if not, give it a pattern in CONSTRUCTS and a row there."
        for word, where in sorted(found.items())
        if word not in known
    )
    expect_none(f"{word} is in no SQL any more" for word in sorted(known - set(found) - {"READ", "ONLY"}))
