"""Which container engines answer here, and what they cannot enforce."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from batchyard.containers.engine_api import EngineApi, EngineFacts, EngineGone, EngineRefused

ENGINES = ("docker", "podman")
ADDRESS_VARIABLES = {"docker": "DOCKER_HOST", "podman": "CONTAINER_HOST"}


def addresses(kind: str) -> Iterator[str]:
    """Where an engine of this kind may listen: what the environment names (DOCKER_HOST, CONTAINER_HOST), then the
    machine's socket, then the user's own."""
    named = os.environ.get(ADDRESS_VARIABLES[kind])
    if named:
        yield named
    user = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    sockets = {
        "docker": ("/var/run/docker.sock", f"{user}/docker.sock"),
        "podman": ("/run/podman/podman.sock", f"{user}/podman/podman.sock"),
    }
    yield from (f"unix://{socket}" for socket in sockets[kind] if Path(socket).exists())


def find_engine(kind: str | None = None) -> tuple[EngineApi, EngineFacts] | None:
    """The first engine that answers, of this kind or (None) of any, Docker first; None if there is none.

    An engine counts as what it says it is, whatever the name of its socket.
    """
    for place in [kind] if kind else list(ENGINES):
        for address in addresses(place):
            api = EngineApi(address)
            try:
                facts = api.facts()
            except (EngineGone, EngineRefused):
                continue
            if kind is None or facts.kind == kind:
                return api, facts
    return None


def unenforced(facts: EngineFacts) -> Mapping[str, str]:
    """What an engine cannot do here, by member, with the reason and the remedy (`Executor.honours`)."""
    found: dict[str, str] = {}
    if not facts.limits_memory or facts.cgroup_driver == "none":
        found["memory"] = (
            f"{facts.kind} has no memory controller here, so memory is not limited; delegate the memory controller to "
            "the user, or run the engine as root"
        )
    elif not facts.limits_swap:
        found["linuxParameters.maxSwap"] = (
            "the kernel does not account for swap; boot it with swapaccount=1 to have swap limited"
        )
    if facts.cgroup_version != "1":
        found["linuxParameters.swappiness"] = "control groups of version 2 have no swappiness; nothing mends that"
    if facts.is_rootless:
        found["linuxParameters.devices"] = (
            "a rootless engine gives only devices that its user may open; run it as root for others"
        )
    if facts.storage_driver not in ("btrfs", "zfs", "windowsfilter"):
        found["ephemeralStorage"] = (
            f"the {facts.storage_driver} storage of {facts.kind} has no quota that can be relied on; use tmpfs with a "
            "size, or storage on btrfs or zfs"
        )
    return found
