"""Where checkpoints lie, and which folders count as one."""

from engine.voice.layout import list_checkpoints, step_folder, step_folders


def test_steps_are_listed_oldest_first_and_only_complete(tmp_path):
    for step in (1_000_000_000, 871, 5):
        step_folder(tmp_path, step).mkdir()
        (step_folder(tmp_path, step) / "state.json").touch()
    (tmp_path / "step-000000006").mkdir()
    for other in ("step-000000007-damaged", "step-8", ".step-000000009.1.tmp"):
        (tmp_path / other).mkdir()
    assert [entry.step for entry in list_checkpoints(tmp_path)] == [5, 871, 1_000_000_000]
    assert [entry.step for entry in step_folders(tmp_path)] == [5, 6, 871, 1_000_000_000]
    assert list_checkpoints(tmp_path / "nowhere") == []
