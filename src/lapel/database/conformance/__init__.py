"""The conformance tests that every database module must pass, ours and third parties'.

They are a pytest plug-in (``pip install 'lapel[conformance]'``). To run them, a module makes pytest load
``lapel.database.conformance.plugin``, has a test file with ``from lapel.database.conformance.suite import *``, and
defines the fixture ``database_settings``, which creates a fresh database::

    @pytest.fixture
    def database_settings(tmp_path: Path) -> tuple[str, DatabaseSettings]:
        return "mine", DatabaseSettings(sqlite_file=tmp_path / "fresh.sqlite")

Every class in this package whose name ends with ``Rules`` is part of the suite. The tests use the fixture
``database_settings`` (a database that was never opened) or ``database`` (connected and migrated). Where databases may
differ, the tests check `Database.capabilities`, never a name.
"""
