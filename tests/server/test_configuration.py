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


@pytest.mark.parametrize(
    ("host", "setting", "granted"),
    [("127.0.0.1", None, True), ("127.0.0.1", False, False), ("0.0.0.0", None, False), ("0.0.0.0", True, True)],
)
def test_the_host_is_within_reach_on_this_machine_alone(host: str, setting: bool | None, granted: bool) -> None:
    assert Configuration(host=host, host_access=setting).grants_host_access is granted
