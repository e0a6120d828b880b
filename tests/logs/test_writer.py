"""What the writer keeps, what it discards, and that it never fails its caller."""

from pathlib import Path

from batchyard.core.ids import AttemptId, Millis
from batchyard.logs.files import INDEX_RECORD, index_path, log_path
from batchyard.logs.writer import AttemptLogWriter

ATTEMPT = AttemptId("cd" * 16)


def test_a_silent_attempt_makes_no_file(tmp_path: Path) -> None:
    AttemptLogWriter(tmp_path, ATTEMPT, None).close()
    assert list(tmp_path.iterdir()) == []


def test_bytes_are_kept_as_they_are_with_the_times_they_came(tmp_path: Path) -> None:
    writer = AttemptLogWriter(tmp_path, ATTEMPT, None)
    for chunk, time in ((b"\x00\xff", 5), (b"more\n", 5), (b"later", 9), (b"!", 7)):
        writer.write(chunk, Millis(time))
    writer.close()
    assert log_path(tmp_path, ATTEMPT).read_bytes() == b"\x00\xffmore\nlater!"
    records = list(INDEX_RECORD.iter_unpack(index_path(tmp_path, ATTEMPT).read_bytes()))
    assert records == [(0, 5), (7, 9)]


def test_beyond_the_cap_one_line_says_so(tmp_path: Path) -> None:
    writer = AttemptLogWriter(tmp_path, ATTEMPT, 10)
    for _ in range(5):
        writer.write(b"123456", Millis(1))
    writer.close()
    assert log_path(tmp_path, ATTEMPT).read_bytes() == b"1234561234\n[output beyond 10 bytes discarded]\n"


def test_while_the_disk_takes_nothing_output_is_counted_and_then_told(tmp_path: Path) -> None:
    (tmp_path / ATTEMPT[:2]).write_text("a file where the folder should be")
    writer = AttemptLogWriter(tmp_path, ATTEMPT, None)
    writer.write(b"lost", Millis(1))
    writer.write(b"too", Millis(2))
    (tmp_path / ATTEMPT[:2]).unlink()
    writer.write(b"kept\n", Millis(3))
    writer.close()
    kept = log_path(tmp_path, ATTEMPT).read_bytes()
    assert kept == b"[7 bytes of output lost: the disk took nothing]\nkept\n"
