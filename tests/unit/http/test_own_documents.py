"""This server's own documents, as verifications read them."""

from __future__ import annotations

import pytest

from lapel.bootstrap import build
from lapel.config import load_settings
from lapel.domain.identifiers import uuid7_source
from lapel.http.own_documents import OwnDocumentUnread
from lapel.http.problems import status_of_kind


async def test_what_only_the_database_knows_cannot_be_told_without_it() -> None:
    async with build(load_settings({"SQLITE_FILE": ":memory:"})) as application:  # not connected
        services = application.services
        with pytest.raises(OwnDocumentUnread, match=r"^This server cannot read its own document right now\.$"):
            await services.verifying.verify_url(services.addresses.credential(uuid7_source()()))

    assert status_of_kind(OwnDocumentUnread) == 503
