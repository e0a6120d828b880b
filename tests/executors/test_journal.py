"""The journal: what is on disk counts, what is torn does not, and no number means two things."""

from pathlib import Path

import pytest

from batchyard.core.ids import AttemptId, Millis
from batchyard.executors.interface import AttemptExited, AttemptLost, AttemptStarted, Position
from batchyard.supervisor.journal import Journal, Running

BOOT = "boot-1"
IDS = [AttemptId(f"{number:032x}") for number in range(10)]


def exited(attempt_id: AttemptId) -> AttemptExited:
    return AttemptExited(attempt_id, Millis(2), Millis(1), 0)


def file(folder: Path) -> Path:
    return folder / "journal"


def test_what_was_accepted_and_not_ended_is_known_after_a_restart(tmp_path: Path) -> None:
    journal = Journal(tmp_path, BOOT)
    journal.accept(IDS[:3])
    running = Running(IDS[1], Millis(1), 77, 1234)
    journal.add([exited(IDS[0]), running])
    again = Journal(tmp_path, BOOT)
    assert again.live == {IDS[1]: running, IDS[2]: None}
    assert again.position == journal.position
    assert list(again.reports_after(Position())) == [(1, exited(IDS[0])), (2, AttemptStarted(IDS[1], Millis(1)))]
    assert [again.knows(attempt_id) for attempt_id in IDS[:4]] == [True, True, True, False]


def test_replay_starts_after_the_position_unless_it_is_another_journals(tmp_path: Path) -> None:
    journal = Journal(tmp_path, BOOT)
    journal.accept(IDS)
    journal.add(map(exited, IDS))
    name = journal.position.journal
    assert [number for number, _ in journal.reports_after(Position(name, 7))] == [8, 9, 10]
    assert len(list(journal.reports_after(Position("another", 7)))) == 10


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_tail_is_left_out_and_numbers_leap(tmp_path: Path, cut: int) -> None:
    journal = Journal(tmp_path, BOOT)
    journal.accept(IDS[:2])
    journal.add([exited(IDS[0])])
    whole = file(tmp_path).stat().st_size
    journal.add([exited(IDS[1])])
    position = journal.position
    journal.close()
    assert cut < file(tmp_path).stat().st_size - whole
    with file(tmp_path).open("r+b") as torn:
        torn.truncate(file(tmp_path).stat().st_size - cut)
    again = Journal(tmp_path, BOOT)
    assert list(again.live) == [IDS[1]]
    ((number, _),) = again.add([AttemptLost(IDS[1], Millis(3))])
    assert number > position.record


def test_garbage_in_the_middle_ends_what_is_believed(tmp_path: Path) -> None:
    journal = Journal(tmp_path, BOOT)
    journal.accept(IDS)
    journal.add(map(exited, IDS))
    data = bytearray(file(tmp_path).read_bytes())
    data[-1] ^= 0xFF
    file(tmp_path).write_bytes(data)
    again = Journal(tmp_path, BOOT)
    assert list(again.live) == [IDS[-1]]


def test_a_file_damaged_from_its_start_is_put_aside(tmp_path: Path) -> None:
    Journal(tmp_path, BOOT).accept(IDS)
    file(tmp_path).write_bytes(b"\0" * 100)
    again = Journal(tmp_path, BOOT)
    assert again.live == {}
    assert list(tmp_path.glob("journal.damaged-*"))


def test_after_a_reboot_numbers_leap(tmp_path: Path) -> None:
    journal = Journal(tmp_path, BOOT)
    journal.accept(IDS[:1])
    journal.add([exited(IDS[0])])
    again = Journal(tmp_path, "boot-2")
    assert again.position.journal == journal.position.journal
    assert again.position.record > journal.position.record + 1000
    assert Journal(tmp_path, "boot-2").position == again.position


def test_a_position_beyond_the_journal_is_never_given_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path, BOOT)
    journal.leap_beyond(Position(journal.position.journal, 500))
    journal.accept(IDS[:1])
    ((number, _),) = journal.add([exited(IDS[0])])
    assert number > 500


def test_the_file_stays_small_and_what_lives_survives(tmp_path: Path) -> None:
    journal = Journal(tmp_path, BOOT, rotate_bytes=10_000)
    running = Running(IDS[0], Millis(1), 5, 6)
    journal.accept(IDS[:2])
    journal.add([running])
    for number in range(2000):
        attempt_id = AttemptId(f"f{number:031x}")
        journal.accept([attempt_id])
        journal.add([exited(attempt_id)])
        if number < 1990:
            journal.acknowledge(journal.position)
        assert file(tmp_path).stat().st_size < 12_000
    again = Journal(tmp_path, BOOT)
    assert again.live == {IDS[0]: running, IDS[1]: None}
    replayed = [report.attempt_id for _, report in again.reports_after(Position(again.position.journal, 1991))]
    assert replayed == [AttemptId(f"f{number:031x}") for number in range(1990, 2000)]
    assert not again.knows(AttemptId(f"f{0:031x}"))
    assert again.position == journal.position
