"""`python -m batchyard.supervisor.containers.prepare_image RESULT`: pull an image if need be, say where it lies.

A process of its own, so that a pull of minutes holds up nobody. It writes progress to its output, which is the log of
the attempts that wait, and the outcome to the file RESULT. The wish comes on its input, since it may hold a password;
podman is told that in a file which only its user may read, and which is gone when the pull has ended.

Images are podman's: whatever was pulled, built, loaded or imported by it is found, and so is what docker has, from
where it is copied. Registries are asked as podman is configured to ask them, with the credentials it knows or those of
the wish.
"""

import base64
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from batchyard.supervisor.containers.image import Image, ImageWish, Prepared, as_text, wish_of

DOCKER_SOCKET = Path("/var/run/docker.sock")
PODMAN = "podman"
_ELSEWHERE = ("CONTAINER_HOST", "CONTAINER_CONNECTION", "CONTAINER_SSHKEY")
"""What would have podman ask a service, perhaps of another machine, whose storage we cannot mount."""

_DEFAULT_REGISTRY = "docker.io"
_REASON_CHARACTERS = 500


class Failure(Exception):
    """The image cannot be had."""


def main(arguments: Sequence[str]) -> int:
    """Do it; the exit code is 0 whenever RESULT was written."""
    (result,) = arguments
    try:
        prepared = Prepared(image=prepare(wish_of(sys.stdin.read())))
    except Failure as failure:
        prepared = Prepared(failure=f"CannotPullContainerError: {str(failure)[:_REASON_CHARACTERS]}")
    half = Path(f"{result}.half")
    half.write_text(as_text(prepared))
    half.rename(result)
    return 0


def prepare(wish: ImageWish) -> Image:
    """The image, pulled as its policy says. Raises Failure."""
    if wish.policy != "always":
        if found := _stored(wish.name):
            return _checked(found, wish)
        if wish.policy == "never":
            raise Failure(f"{wish.name} is not stored here, and the pull policy is never")
        if DOCKER_SOCKET.exists() and _podman("pull", "--quiet", f"docker-daemon:{_with_tag(wish.name)}"):
            return _found_after_pull(wish)
    _pull(wish)
    return _found_after_pull(wish)


def _found_after_pull(wish: ImageWish) -> Image:
    if found := _stored(wish.name):
        return _checked(found, wish)
    raise Failure(f"{wish.name} was pulled and is not there")


def _pull(wish: ImageWish) -> None:
    """With podman's own progress lines in our output; the last of its errors is the reason."""
    options = ["--arch", wish.architecture] if wish.architecture else []
    with contextlib.ExitStack() as stack:
        if wish.credentials:
            file = stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".json"))
            file.write(_login(wish.name, *wish.credentials))
            file.flush()
            options += ["--authfile", file.name]
        # The transport is ours, so that no name can mean a file of this machine.
        _run_pull([PODMAN, "pull", *options, "--", f"docker://{full_name(wish.name)}"], wish.name)


def _login(image: str, user: str, password: str) -> str:
    """What podman reads credentials from (containers-auth.json)."""
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    return json.dumps({"auths": {full_name(image).partition("/")[0]: {"auth": auth}}})


def _run_pull(command: Sequence[str], name: str) -> None:
    _say(f"Pulling {name}")
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment(),
        )
    except OSError as failure:
        raise Failure(f"podman: {failure.strerror}") from failure
    assert process.stderr
    last = ""
    for line in process.stderr:
        _say(line.rstrip())
        last = line.strip() or last
    if process.wait():
        raise Failure(last.removeprefix("Error: ") or f"podman ended with {process.returncode}")


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # Whoever wanted to know has gone.
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def full_name(name: str) -> str:
    """The name with its registry, as Docker reads one without: `busybox` is `docker.io/library/busybox`."""
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"{_DEFAULT_REGISTRY}/{name}" if slash else f"{_DEFAULT_REGISTRY}/library/{name}"


def _with_tag(name: str) -> str:
    last = name.rpartition("/")[2]
    return name if ":" in last or "@" in last else f"{name}:latest"


def _podman(*arguments: str) -> str:
    """What it says; nothing if it fails. Raises Failure without podman."""
    try:
        done = subprocess.run(
            [PODMAN, *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=_environment(),
        )
    except OSError as failure:
        raise Failure(f"podman: {failure.strerror}") from failure
    return done.stdout.strip() if done.returncode == 0 else ""


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}


def _stored(name: str) -> dict[str, Any] | None:
    """What podman knows of the image under the name as it is, or as it is in full; None if it has none."""
    for known_as in dict.fromkeys((name, full_name(name))):
        if said := _podman("image", "inspect", "--", known_as):
            found: dict[str, Any] = json.loads(said)[0]
            return found
    return None


def _checked(found: dict[str, Any], wish: ImageWish) -> Image:
    if wish.architecture and found.get("Architecture") != wish.architecture:
        raise Failure(f"{wish.name} is for {found.get('Architecture')}, not for {wish.architecture}")
    driver = found["GraphDriver"]
    if driver["Name"] != "overlay":
        raise Failure(f'podman stores images by {driver["Name"]}; set driver = "overlay" in its storage.conf')
    top = Path(driver["Data"]["UpperDir"])
    home = top.parent.parent
    folders = [str(top), *filter(None, (driver["Data"].get("LowerDir") or "").split(":"))]
    register = home.parent / "overlay-images" / "images.json"
    config = found.get("Config") or {}
    return Image(
        id=found["Id"],
        home=str(home),
        layers=tuple(_short(Path(folder), home) for folder in folders),
        register=str(register),
        register_changed=register.stat().st_mtime_ns,
        entry_point=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        environment=tuple(config.get("Env") or ()),
        user=config.get("User") or "",
        working_folder=config.get("WorkingDir") or "",
        stop_signal=config.get("StopSignal") or "",
    )


def _short(folder: Path, home: Path) -> str:
    """The storage's short name of a layer's folder, so that the options of a mount, one page, name a hundred."""
    try:
        short = Path("l") / (folder.parent / "link").read_text().strip()
        if (home / short).is_dir():
            return str(short)
    except OSError:
        pass
    return os.path.relpath(folder, home)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
