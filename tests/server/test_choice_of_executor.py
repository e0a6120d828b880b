"""Which executor a server takes: the one asked for, or with `auto` the best that works here, with the reason."""

from pathlib import Path

import pytest

from batchyard.executors import oci
from batchyard.server.choice_of_executor import choose_executor
from batchyard.server.configuration import Configuration, Containers, read_configuration
from batchyard.server.problem import ConfigurationProblem


def test_the_one_asked_for(tmp_path: Path) -> None:
    choice = choose_executor(Configuration(data=tmp_path, executor="process"))
    assert (choice.name, choice.why, choice.kind.isolates) == ("process", "it was asked for", False)


def test_auto_takes_the_first_that_works_and_says_why(tmp_path: Path) -> None:
    obstacles = list(oci.obstacles(tmp_path))
    choice = choose_executor(Configuration(data=tmp_path, executor="auto"))
    assert choice.name == ("process" if obstacles else "oci")
    assert choice.kind.isolates is not bool(obstacles)
    assert all(obstacle in choice.why for obstacle in obstacles)


def test_without_the_tools_containers_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    choice = choose_executor(Configuration(data=tmp_path, executor="auto"))
    assert choice.name == "process"
    assert "crun is missing, which makes containers: install crun 1.8 or newer" in choice.why
    with pytest.raises(ConfigurationProblem, match=r"The executor oci cannot work here: .*podman is missing"):
        choose_executor(Configuration(data=tmp_path, executor="oci"))


def test_looking_leaves_nothing(tmp_path: Path) -> None:
    list(oci.obstacles(tmp_path / "not" / "there"))
    assert list(tmp_path.iterdir()) == []


def test_how_containers_are_made_is_a_setting(tmp_path: Path) -> None:
    file = tmp_path / "batchyard.toml"
    file.write_text('[containers]\npull_policy = "never"\nnetwork = "none"\ncpu_quota = true\n')
    assert read_configuration(file, {}).containers == Containers("never", "none", cpu_quota=True)
    file.write_text('[containers]\npull_policy = "sometimes"\n')
    with pytest.raises(ConfigurationProblem, match=r"containers\.pull_policy must be one of if-missing, always, never"):
        read_configuration(file, {})
