"""Distributed transactions: the identity of a database, and what is refused before anything is done."""

from __future__ import annotations

import pytest

from lapel.database.conformance import samples
from lapel.database.errors import SameDatabase, TwoPhaseNotSupported
from lapel.database.interface import Database
from lapel.database.two_phase.distributed import distributed
from lapel.database.two_phase.participant import BranchName

__all__ = ["TwoPhaseRules"]


class TwoPhaseRules:
    """The rules that need only one database."""

    async def test_one_database_twice_or_one_that_cannot_is_refused_at_once(self, database: Database) -> None:
        expected = SameDatabase if database.capabilities.two_phase else TwoPhaseNotSupported
        with pytest.raises(expected):
            async with distributed(database, database) as (tx, _):
                await tx.issuers.create(samples.issuer())
        assert await database.read().issuers.default() is None
        assert database.pool_status().in_use == 0

    async def test_its_identity_is_stable_and_part_of_branch_names(self, database: Database) -> None:
        if not database.capabilities.two_phase:
            return
        identities = set()
        for _ in range(2):
            participant = await database.participate()
            identities.add(participant.identity)
            participant.close()
        (identity,) = identities
        name = BranchName(identity, "0" * 32, identity)
        assert BranchName.parsed(str(name)) == name

    async def test_the_end_of_a_transaction_prepares_it_and_it_is_settled_by_its_name(self, database: Database) -> None:
        if not database.capabilities.two_phase:
            return
        participant = await database.participate()
        try:
            for commit in (False, True):
                async with database.transaction(prepared_as="a name") as tx:
                    await tx.issuers.create(samples.issuer())
                assert tx.outcome == "prepared"
                assert set(await participant.prepared()) == {"a name"}
                assert await database.read().issuers.default() is None
                assert await participant.settle("a name", commit=commit)
                assert not await participant.settle("a name", commit=commit)
                assert (await database.read().issuers.default() is not None) is commit
        finally:
            participant.close()
