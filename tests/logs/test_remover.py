"""What attempts wrote goes with them."""

from pathlib import Path

from batchyard.core.ids import AttemptId, Millis
from batchyard.logs.files import index_path, log_path
from batchyard.logs.remover import remove_logs
from batchyard.logs.writer import AttemptLogWriter


def test_both_files_of_an_attempt_go_and_no_others(tmp_path: Path) -> None:
    gone, kept, silent = (AttemptId(f"ab{number:030x}") for number in range(3))
    for attempt_id in (gone, kept):
        writer = AttemptLogWriter(tmp_path, attempt_id, None)
        writer.write(b"line\n", Millis(1))
        writer.close()
    for _ in range(2):
        remove_logs(tmp_path, [gone, silent])
        assert [log_path(tmp_path, each).exists() for each in (gone, kept)] == [False, True]
        assert [index_path(tmp_path, each).exists() for each in (gone, kept)] == [False, True]
