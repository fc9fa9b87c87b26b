"""The kit that every database module must pass, ours and a third party's: the promises of the layer as tests.

It is a pytest plug-in (``pip install 'lapel[conformance]'``). A module runs the whole of it with three lines of its
own: pytest is told to load ``lapel.database.conformance.plugin``, a test file says
``from lapel.database.conformance.suite import *``, and one fixture, ``database_settings``, makes a fresh database::

    @pytest.fixture
    def database_settings(tmp_path: Path) -> tuple[str, DatabaseSettings]:
        return "mine", DatabaseSettings(sqlite_file=tmp_path / "fresh.sqlite")

In here, each module holds classes of rules, and every class whose name ends with ``Rules`` is in the suite. Their
tests take ``database_settings`` (nobody has opened it yet) or ``database`` (connected and migrated). What databases
may differ in is asked of `Database.capabilities`, never of a name.
"""
