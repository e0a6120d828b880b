"""What batchyard.toml may say beside the keys of callers."""

from pathlib import Path

import pytest

from batchyard.server.configuration import Configuration, read_configuration
from batchyard.server.problem import ConfigurationProblem


def read(tmp_path: Path, text: str) -> Configuration:
    file = tmp_path / "batchyard.toml"
    file.write_text(text)
    return read_configuration(file, {})


def test_volumes_name_folders(tmp_path: Path) -> None:
    assert read(tmp_path, '[volumes]\nfs-1 = "/srv/x"\n').volumes == {"fs-1": "/srv/x"}
    with pytest.raises(ConfigurationProblem, match="fs-1 must be an absolute path"):
        read(tmp_path, '[volumes]\nfs-1 = "x"\n')


def test_the_data_folder_is_a_path_in_the_file_and_in_a_flag(tmp_path: Path) -> None:
    assert read(tmp_path, 'data = "~/yard"\n').data == Path.home() / "yard"
    (file := tmp_path / "batchyard.toml").write_text('data = "/srv/yard"\n')
    assert read_configuration(file, {"data": tmp_path}).data == tmp_path
    with pytest.raises(ConfigurationProblem, match="data"):
        read(tmp_path, "data = 3\n")


@pytest.mark.parametrize(
    ("host", "setting", "granted"),
    [("127.0.0.1", None, True), ("127.0.0.1", False, False), ("0.0.0.0", None, False), ("0.0.0.0", True, True)],
)
def test_the_host_is_within_reach_on_this_machine_alone(host: str, setting: bool | None, granted: bool) -> None:
    assert Configuration(host=host, host_access=setting).grants_host_access is granted


def test_jobs_are_kept_for_ever_unless_days_are_given(tmp_path: Path) -> None:
    assert read(tmp_path, "").retention.finished_jobs_days is None
    assert read(tmp_path, "[retention]\nfinished_jobs_days = 7.5\n").retention.finished_jobs_days == 7.5
    with pytest.raises(ConfigurationProblem, match="finished_jobs_days must be more than 0"):
        read(tmp_path, "[retention]\nfinished_jobs_days = 0.0\n")


def test_phases_take_no_time_unless_seconds_are_given(tmp_path: Path) -> None:
    assert read(tmp_path, "").compatibility.phase_seconds == 0
    assert read(tmp_path, "[compatibility]\nphase_seconds = 20\n").compatibility.phase_seconds == 20
    with pytest.raises(ConfigurationProblem, match="phase_seconds must be between 0 and 3600"):
        read(tmp_path, "[compatibility]\nphase_seconds = -1\n")
