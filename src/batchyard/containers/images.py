"""Images: pulled when the policy says so, with progress in the log of the attempt that waits for them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from batchyard.containers.creation import CannotStart
from batchyard.containers.engine_api import EngineApi, EngineRefused
from batchyard.executors.interface import Container

PULL_POLICIES = ("if-missing", "always", "never")


def pull(api: EngineApi, container: Container, say: Callable[[str], None]) -> None:
    """Pull a container's image and tell of it line by line. Raises CannotStart as the ECS agent words it."""
    isolation = container.isolation
    names = ("username", "password")
    credentials = dict(zip(names, isolation.credentials, strict=True)) if isolation and isolation.credentials else None
    platform = f"linux/{isolation.architecture}" if isolation and isolation.architecture else None
    try:
        for line in _progress(api.pull(_tagged(container.image), credentials, platform)):
            say(line)
    except EngineRefused as refusal:
        raise CannotStart(f"CannotPullContainerError: Error response from daemon: {refusal}") from refusal


def never_pulled(container: Container) -> CannotStart:
    """The failure of an image that is not there and may not be pulled."""
    return CannotStart(
        f"CannotPullContainerError: image {container.image} is not on this machine, and is not to be pulled"
    )


def _tagged(image: str) -> str:
    return image if ":" in image.rpartition("/")[2] or "@" in image else f"{image}:latest"


def _progress(answers: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each step, not for each percent. Raises EngineRefused for a failure in mid-pull."""
    said: dict[str, str] = {}
    for answer in answers:
        if failure := answer.get("error"):
            raise EngineRefused(str(failure))
        layer, status = answer.get("id") or "", answer.get("status") or (answer.get("stream") or "").strip()
        if status and said.get(layer) != status:
            said[layer] = status
            yield f"{layer}: {status}" if layer else status
