"""Loading without rounds of the garbage collector."""

from __future__ import annotations

import gc

import pytest

from lapel.cli.loading import loading


def test_rounds_go_on_after_it_also_where_it_fails() -> None:
    def load() -> None:
        with loading():
            assert not gc.isenabled()
            raise ImportError

    assert gc.isenabled()
    with pytest.raises(ImportError):
        load()
    assert gc.isenabled()


def test_whoever_had_them_off_has_them_off_after_it() -> None:
    gc.disable()
    try:
        with loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
