"""What engines keep of a container's output becomes its own bytes again."""

import threading
from pathlib import Path

import pytest

from batchyard.containers.output import FileReader, FileTail, Transcript
from batchyard.core.ids import AttemptId, Millis
from batchyard.logs.files import INDEX_RECORD, index_path, log_path
from batchyard.logs.writer import AttemptLogWriter

ID = AttemptId("ab" * 16)
STAMP = b"2026-11-22T22:06:59.988277518+00:00"
RECORD = b"".join(
    STAMP + rest
    for rest in (b" stdout F abc\n", b" stderr P par\n", b" stderr F t\n", b" stdout F \n", b" stdout F \xff\0\r\n")
) + (STAMP + b" stdout P last\n")
CONTENT = b"abc\npart\n\n\xff\0\r\nlast"


def copy(tmp_path: Path, log_bytes: int = 0, cap_bytes: int | None = None) -> bytes:
    """Follow the file to its end, as after a restart; what the log then holds."""
    writer = AttemptLogWriter(tmp_path, ID, cap_bytes)
    transcript = Transcript(writer, max(0, writer.resume() - log_bytes))
    reader, ended = FileReader(), threading.Event()
    tail = FileTail(tmp_path / "raw", transcript, ended.set)
    reader.follow(tail)
    reader.finish(tail)
    assert ended.wait(10)
    reader.close()
    writer.close()
    return log_path(tmp_path, ID).read_bytes()


def test_records_become_the_bytes_that_were_written(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(RECORD)
    assert copy(tmp_path) == CONTENT


@pytest.mark.parametrize("kept", [0, 1, 4, 9, len(CONTENT)])
def test_a_copy_that_was_cut_short_is_gone_on_with(tmp_path: Path, kept: int) -> None:
    (tmp_path / "raw").write_bytes(RECORD)
    before = AttemptLogWriter(tmp_path, ID, None)
    before.write(b"pulled\n" + CONTENT[:kept], Millis(5))
    before.close()
    assert copy(tmp_path, log_bytes=len(b"pulled\n")) == b"pulled\n" + CONTENT
    index = index_path(tmp_path, ID).read_bytes()
    records = list(INDEX_RECORD.iter_unpack(index))
    assert records == sorted(records)
    assert records[0] == (0, 5)


def test_an_index_record_without_bytes_is_written_over(tmp_path: Path) -> None:
    writer = AttemptLogWriter(tmp_path, ID, None)
    writer.write(b"one\n", Millis(5))
    writer.close()
    with index_path(tmp_path, ID).open("ab") as index:
        index.write(INDEX_RECORD.pack(4, 9) + b"torn")
    again = AttemptLogWriter(tmp_path, ID, None)
    assert again.resume() == 4
    again.write(b"two\n", Millis(7))
    again.close()
    data = index_path(tmp_path, ID).read_bytes()
    assert list(INDEX_RECORD.iter_unpack(data[:32])) == [(0, 5), (4, 7)]


def test_a_full_log_takes_no_more_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(RECORD)
    once = copy(tmp_path, cap_bytes=5)
    assert copy(tmp_path, cap_bytes=5) == once
    assert once.startswith(CONTENT[:5])
