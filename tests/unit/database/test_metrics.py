"""What is counted of a database, on every database, and what is logged of slow operations."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from lapel.database.conformance import samples
from lapel.database.errors import RecordNotFound, SerializationFailure
from lapel.database.interface import Database
from lapel.database.metrics import MEASUREMENTS, DatabaseMetrics
from lapel.database.transaction import DatabaseTransaction


def scraped(metrics: DatabaseMetrics) -> dict[str, float]:
    """Every sample as Prometheus reads it, by its name and labels."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)
    text = generate_latest(registry).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name + "".join(f"[{value}]" for value in sample.labels.values()): sample.value for sample in samples}


async def test_transactions_are_counted_by_how_they_end(database: Database) -> None:
    before = scraped(database.metrics)

    async def work(tx: DatabaseTransaction) -> None:
        if tx.attempt < 3:
            raise SerializationFailure
        await tx.issuers.create(samples.issuer())

    await database.run(work)
    with pytest.raises(RecordNotFound):
        async with database.transaction() as tx:
            await tx.issuers.get(samples.new_id())
    after = scraped(database.metrics)
    name = "lapel_database_transactions_total"
    grown = {
        outcome: after[f"{name}[{outcome}]"] - before[f"{name}[{outcome}]"] for outcome in ("committed", "retried")
    }
    assert grown == {"committed": 1, "retried": 2}
    assert after[f"{name}[rolled_back]"] - before[f"{name}[rolled_back]"] == 3
    commits = "lapel_database_operation_seconds_count[transactions.commit]"
    assert after[commits] - before.get(commits, 0) == 1


async def test_the_pool_is_shown_as_it_is(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.issuers.default()
        waiting = [asyncio.create_task(use(database)) for _ in range(database.pool_status().maximum + 3)]
        await asyncio.wait(waiting, timeout=0.2)
        shown = scraped(database.metrics)
    await asyncio.gather(*waiting)
    assert shown["lapel_database_up"] == 1
    assert shown["lapel_database_pool_in_use"] >= 1
    assert shown["lapel_database_open_transactions"] >= 1
    assert shown["lapel_database_pool_connections"] <= shown["lapel_database_pool_maximum"]
    await database.disconnect()
    assert scraped(database.metrics)["lapel_database_up"] == 0
    assert scraped(database.metrics)["lapel_database_pool_connections"] == 0


async def use(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.issuers.default()


async def test_every_measurement_is_explained(database: Database) -> None:
    assert set(database.measurements()) <= set(MEASUREMENTS)


async def test_a_slow_operation_is_logged_with_what_was_done_and_without_values(database: Database) -> None:
    database.metrics._slow_seconds = 1e-9
    issuer = samples.issuer(name="a name that nobody may read in a log")
    with capture_logs() as lines:
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
            await tx.issuers.get(issuer.id)
    slow = {line["operation"]: line for line in lines if line["event"] == "slow database operation"}
    assert slow["issuers.create"]["transaction"] == tx.id
    assert slow["issuers.create"]["attempt"] == 1
    assert slow["issuers.create"]["entity"] == "issuer"
    assert slow["issuers.create"]["sql"].startswith("INSERT INTO issuers")
    found = next(line for name, line in slow.items() if name != "issuers.create")
    assert found["id"] == str(issuer.id)
    assert issuer.name not in str(lines)
    assert scraped(database.metrics)["lapel_database_slow_operations_total[issuers.create]"] == 1


def test_zero_seconds_call_nothing_slow() -> None:
    assert not DatabaseMetrics(slow_seconds=0).observe("issuers.find", 1000.0)


async def test_what_only_a_module_counts_is_shown_too() -> None:
    assert scraped(DatabaseMetrics(measure=lambda: {"flux_total": 3.0}))["lapel_database_flux_total"] == 3.0
