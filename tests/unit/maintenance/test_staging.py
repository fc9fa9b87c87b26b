"""Drafts of files, and what is in their way."""

from __future__ import annotations

from pathlib import Path

import pytest

from lapel.maintenance.staging import AlreadyUnderWay, staged


def everything_in(folder: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_what_a_run_that_was_killed_has_left_goes(tmp_path: Path) -> None:
    left = tmp_path / "backup.sqlite.partial"
    left.mkdir(mode=0o700)
    (left / "backup.sqlite-wal").write_text("half of it")

    with staged(tmp_path / "backup.sqlite") as draft:
        assert [path.name for path in draft.parent.iterdir()] == ["backup.sqlite"]
    assert not left.exists()


@pytest.mark.parametrize(
    ("mode", "name"), [(0o700, "thesis.txt"), (0o755, "backup.sqlite"), (0o770, "backup.sqlite"), (0o700, ".hidden")]
)
@pytest.mark.parametrize("is_link", [True, False])
def test_a_folder_that_is_in_the_way_keeps_what_is_in_it(tmp_path: Path, mode: int, name: str, is_link: bool) -> None:
    in_the_way = tmp_path / "backup.sqlite.partial"
    folder = tmp_path / "somebodys" if is_link else in_the_way
    folder.mkdir()
    (folder / name).write_text("precious")
    folder.chmod(mode)
    if is_link:
        in_the_way.symlink_to(folder)
    before = everything_in(tmp_path)

    with pytest.raises(AlreadyUnderWay), staged(tmp_path / "backup.sqlite"):
        pass

    assert everything_in(tmp_path) == before


def test_a_link_to_a_folder_of_drafts_is_not_followed(tmp_path: Path) -> None:
    drafts = tmp_path / "drafts"
    drafts.mkdir(mode=0o700)
    (drafts / "backup.sqlite").write_text("another's")
    (tmp_path / "backup.sqlite.partial").symlink_to(drafts)

    with pytest.raises(AlreadyUnderWay), staged(tmp_path / "backup.sqlite"):
        pass

    assert (drafts / "backup.sqlite").read_text() == "another's"
