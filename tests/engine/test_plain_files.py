"""How paths are written for people and kept."""

from pathlib import Path

from engine.plain_files import whole_path


def test_a_path_is_written_whole_and_without_detours(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert whole_path(Path("voices/alice")) == tmp_path / "voices" / "alice"
    assert whole_path(Path("voices/../mirrors/./alice/")) == tmp_path / "mirrors" / "alice"


def test_links_stay_and_what_lies_behind_one_is_not_guessed(tmp_path):
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "near").symlink_to(tmp_path / "far" / "away")
    assert whole_path(tmp_path / "near" / "alice") == tmp_path / "near" / "alice"
    # Beside the folder that the link leads to, and not beside the link.
    assert whole_path(tmp_path / "near" / ".." / "alice") == tmp_path / "near" / ".." / "alice"
