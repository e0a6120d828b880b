"""The port that jobs ask at stays the same for a data folder."""

from pathlib import Path

from batchyard.server.task_listener import PORTS, task_listener, task_url


def test_the_port_is_kept_and_taken_again(tmp_path: Path) -> None:
    first = task_listener(tmp_path)
    port = first.getsockname()[1]
    assert first.getsockname()[0] == "127.0.0.1"
    assert port in PORTS
    assert task_url(first) == f"http://127.0.0.1:{port}"
    first.close()
    with task_listener(tmp_path) as second:
        assert second.getsockname()[1] == port


def test_another_is_chosen_and_kept_where_it_is_taken(tmp_path: Path) -> None:
    with task_listener(tmp_path) as taken, task_listener(tmp_path) as other:
        port = other.getsockname()[1]
        assert port != taken.getsockname()[1]
    with task_listener(tmp_path) as again:
        assert again.getsockname()[1] == port


def test_a_torn_file_is_as_none(tmp_path: Path) -> None:
    (tmp_path / "tasks.port").write_text("")
    with task_listener(tmp_path) as made:
        assert made.getsockname()[1] in PORTS
