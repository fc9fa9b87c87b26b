"""Transactions and what stands around them, on every database: the conformance kit."""

from __future__ import annotations

from lapel.database.conformance.anomalies import AnomalyRules
from lapel.database.conformance.deadlines import DeadlineRules
from lapel.database.conformance.errors import ErrorRules
from lapel.database.conformance.interruptions import InterruptionRules, NestingRules
from lapel.database.conformance.isolation import IsolationRules
from lapel.database.conformance.left_open import LeftOpenRules
from lapel.database.conformance.lifecycle import LifecycleRules, MigrationRules
from lapel.database.conformance.running import RunRules
from lapel.database.conformance.transactions import CancellationRules, MisuseRules, SavepointRules, TransactionRules


class TestTransactions(TransactionRules): ...


class TestSavepoints(SavepointRules): ...


class TestMisuse(MisuseRules): ...


class TestCancellation(CancellationRules): ...


class TestIsolation(IsolationRules): ...


class TestAnomalies(AnomalyRules): ...


class TestErrors(ErrorRules): ...


class TestInterruptions(InterruptionRules): ...


class TestNesting(NestingRules): ...


class TestLeftOpen(LeftOpenRules): ...


class TestDeadlines(DeadlineRules): ...


class TestRunning(RunRules): ...


class TestLifecycle(LifecycleRules): ...


class TestMigrations(MigrationRules): ...
