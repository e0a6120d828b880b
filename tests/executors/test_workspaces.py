"""The folder that an attempt leaves behind, and what is read back from it."""

import os
from pathlib import Path

import pytest

from batchyard.executors.interface import Workspace
from batchyard.supervisor import workspaces
from batchyard.supervisor.launching import CannotStart


def made(tmp_path: Path, **members: object) -> Path:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    base = tmp_path / "kept" / "one"
    workspaces.make(Workspace(str(base), **members), scratch)  # type: ignore[arg-type]
    return base


def test_folders_files_and_links_are_there_and_in_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("1")
    base = made(
        tmp_path,
        folders=("model",),
        files={"input/config/a.json": "{}"},
        links={"input/data/train": str(tmp_path / "data.csv")},
        shared={"checkpoints": str(tmp_path / "new" / "shared")},
    )
    assert (base / "input/data/train/data.csv").read_text() == "1"
    (tmp_path / "scratch/checkpoints/x").write_text("kept")
    assert (tmp_path / "new/shared/x").read_text() == "kept"
    assert sorted(path.name for path in (tmp_path / "scratch").iterdir()) == ["checkpoints", "input", "model"]
    assert base.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("place", ["../x", "/etc/x", "a/../../x", ""])
def test_nothing_is_written_outside(tmp_path: Path, place: str) -> None:
    with pytest.raises(CannotStart, match="leads out"):
        made(tmp_path, files={place: "text"})
    assert not (tmp_path / "kept" / "x").exists()


def test_a_folder_is_one_attempts_alone_and_its_data_must_exist(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="nowhere does not exist"):
        made(tmp_path, links={"data": str(tmp_path / "nowhere")})
    with pytest.raises(CannotStart, match="File exists"):
        workspaces.make(Workspace(str(tmp_path / "kept/one")), tmp_path / "scratch")


def test_only_a_plain_file_says_why(tmp_path: Path) -> None:
    base = made(tmp_path, folders=("output",))
    workspace, file = Workspace(str(base), failure="output/failure"), base / "output/failure"
    assert workspaces.failure(workspace) is None
    file.write_bytes(b" no\n\xff data\0 " + b"x" * 5000)
    said = workspaces.failure(workspace)
    assert said is not None
    assert said.startswith("no \ufffd data xxx")
    assert len(said) < 1100
    file.unlink()
    file.symlink_to("/etc/hostname")
    assert workspaces.failure(workspace) is None
    file.unlink()
    os.mkfifo(file)
    assert workspaces.failure(workspace) is None
