"""`simulate`: what is printed, drawn and saved, and how it ends."""

from pathlib import Path

import pytest

from batchyard.core.placement import Plan, Snapshot
from batchyard.simulator import replay
from tests.cli.terminal import Terminal

NOBODY = Terminal("http://127.0.0.1:9")
QUICK = ("simulate", "--jobs", "120", "--vcpus", "8")


def test_a_made_day_against_the_two_policies_that_are_built_in() -> None:
    shown = NOBODY(*QUICK)
    assert (shown.exit_code, shown.errors) == (0, "")
    assert "fifo: 120 jobs, utilization" in shown.output
    assert "holds       capacity is never exceeded (120 tests)" in shown.output
    assert "not tested  what is reserved stays free" in shown.output
    assert "default  user1" in shown.output


def test_the_same_day_saved_comes_to_the_same(tmp_path: Path) -> None:
    trace = tmp_path / "day.swf"
    made = NOBODY(*QUICK, "--save-trace", str(trace), "-o", "json").json
    assert NOBODY("simulate", str(trace), "-o", "json").json == made
    assert [one["yard"] for one in made["simulations"]] == ["fifo", "fair-share"]
    fifo = made["simulations"][0]
    assert (fifo["holds"], fifo["jobs"]) == (True, 120)
    assert 0 < fifo["utilization"] <= 1
    whole = fifo["waits"][0]
    assert (whole["queue"], whole["shareIdentifier"], whole["jobs"]) == ("default", None, 120)
    assert 0 <= whole["meanWait"] <= whole["p95Wait"] <= whole["longestWait"]
    assert whole["meanBoundedSlowdown"] >= 1


def test_pictures_are_drawn_into_a_folder(tmp_path: Path) -> None:
    policy = tmp_path / "[mine] & yours.toml"
    policy.write_text("vcpus = 8\n")
    shown = NOBODY(*QUICK, "--charts", str(tmp_path / "new" / "charts"), "-p", str(policy))
    assert "[mine] & yours: 120 jobs" in shown.output
    assert "[mine] &amp; yours" in (tmp_path / "new" / "charts" / "shares.svg").read_text()
    assert (tmp_path / "new" / "charts" / "utilization.svg").exists()


def test_what_could_not_be_replayed_is_said(tmp_path: Path) -> None:
    trace = tmp_path / "short.swf"
    lost = "1 0 -1 -1 1 -1 -1 1 -1 -1 1 1 1 1 1 1 -1 -1\n"
    huge = "2 0 -1 60 9 -1 -1 9 -1 -1 1 1 1 1 1 1 -1 -1\n"
    trace.write_text(f"; MaxProcs: 2\n{lost}{huge}")
    shown = NOBODY("simulate", str(trace)).output
    assert "Lines of the trace that are not replayed: 1, no run time" in shown
    assert "Jobs that could never fit, and hold up nobody: 1" in shown


@pytest.mark.parametrize(
    ("trace", "policy", "said"),
    [
        ("1 2 3\n", "vcpus = 1", "is not a trace in the Standard Workload Format: line 1 has 3 fields"),
        ("", "", "policy: neither it nor the trace (MaxProcs) says how many vcpus the machine has"),
        ("", "vcpus = 1\ncpus = 2", "policy: Object contains unknown field `cpus`"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, trace: str, policy: str, said: str) -> None:
    (tmp_path / "trace.swf").write_text(trace)
    (tmp_path / "policy.toml").write_text(policy)
    refused = NOBODY("simulate", str(tmp_path / "trace.swf"), "-p", str(tmp_path / "policy.toml"))
    assert refused.exit_code == 2
    assert said in refused.errors


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = NOBODY(*QUICK, "--charts", str(tmp_path / "file"))
    assert (refused.exit_code, "utilization.svg cannot be written" in refused.errors) == (2, True)


def test_a_rule_that_does_not_hold_is_told_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def idle(snapshot: Snapshot) -> Plan:
        return Plan()

    monkeypatch.setattr(replay.replay, "__defaults__", (idle,))
    shown = NOBODY(*QUICK)
    assert shown.exit_code == 1
    assert "violated    nobody starves (120 of 120 tests)\n              at 0 s job 1 still waits" in shown.output
