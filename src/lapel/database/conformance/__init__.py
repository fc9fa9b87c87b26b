"""The kit that every database module must pass, ours and a third party's: the promises of the layer as tests.

Each module holds classes of tests for pytest (with pytest-asyncio in auto mode) that take two fixtures:

- ``database``: a fresh `lapel.database.interface.Database`, connected and migrated;
- ``database_settings``: ``(name of the module, DatabaseSettings)`` of a fresh database that nobody has opened yet.

A module runs the kit by giving the classes a name that pytest collects::

    from lapel.database.conformance.transactions import TransactionRules

    class TestTransactions(TransactionRules): ...

What databases may differ in is asked of `Database.capabilities`, never of a name.
"""
