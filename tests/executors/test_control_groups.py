"""Both versions of control groups, on the kernel's own, as far as this machine has them."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchyard.executors.control_groups import ControlGroups, Group, Limits, _Pool, _VersionTwoKind, control_groups
from batchyard.executors.machine import machine_capacity
from tests.executors.conformance import new_mark, sleepers, until

LIMITS = Limits(memory_mib=64, max_swap_mib=0, pids=100, vcpus=1.0)
V2_MOUNTS = [
    place for place in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")) if (place / "cgroup.procs").exists()
]


def version_two(name: str) -> ControlGroups | None:
    """A pool in whatever part of a version 2 hierarchy may be written; it may lack every controller."""
    for mount in V2_MOUNTS:
        if (mount / "cgroup.controllers").exists() and os.access(mount, os.W_OK):
            folder = mount / f"batchyard-test-{name}"
            folder.mkdir()
            return _Pool(_VersionTwoKind(folder))
    return None


@pytest.fixture(params=["best", "version 2"])
def groups(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ControlGroups]:
    found = control_groups(tmp_path) if request.param == "best" else version_two(new_mark())
    if found is None or "no control groups" in found.unenforced.get("memory", ""):
        pytest.skip("this process may not write control groups of that version")
    yield found
    found.remove()


def inside(group: Group, *command: str) -> "subprocess.Popen[bytes]":
    """A process born in the group, as the supervisor makes it."""
    return subprocess.Popen(command, preexec_fn=group.enter, start_new_session=True)  # noqa: PLW1509


def lend(groups: ControlGroups) -> Group:
    group = groups.lend(LIMITS)
    assert group is not None
    return group


def test_a_whole_tree_is_seen_and_killed(groups: ControlGroups) -> None:
    group = lend(groups)
    assert not group.populated()
    mark = new_mark()
    main = inside(group, "sh", "-c", f"setsid sleep {mark} & setsid setsid sleep {mark} & sleep {mark}")
    until(lambda: len(sleepers(mark)) == 3)
    group.settle()
    assert group.populated()
    assert set(sleepers(mark)) < set(group.members())
    assert set(groups.left_over()) == set(group.members())
    while group.populated():
        group.kill()
        main.poll()
    assert sleepers(mark) == []
    assert main.wait() == -9
    assert group.out_of_memory_kills() == 0


def test_groups_are_lent_again_to_equal_limits_only(groups: ControlGroups) -> None:
    first = lend(groups)
    inside(first, "true").wait()
    groups.take_back(first)
    assert groups.lend(Limits(128, 0, 100, 1.0)) is not first
    assert groups.lend(LIMITS) is first
    assert groups.lend(LIMITS) is not first


def test_nothing_is_left_after_removal(tmp_path: Path) -> None:
    groups = control_groups(tmp_path)
    if "memory" in groups.unenforced:
        pytest.skip(groups.unenforced["memory"])
    assert isinstance(groups, _Pool)
    group = lend(groups)
    inside(group, "true").wait()
    groups.take_back(group)
    assert all(list(root.glob("slot-*")) for root in groups._kind.roots if root.parent.name != "cpu")
    groups.remove()
    assert not any(root.exists() for root in groups._kind.roots)


def test_the_capacity_is_within_the_machines() -> None:
    capacity = machine_capacity()
    assert 0 < capacity.vcpus <= (os.cpu_count() or 1)
    assert 0 < capacity.memory_mib <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
