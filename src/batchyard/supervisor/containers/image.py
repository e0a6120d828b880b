"""An image as a container needs it, and the way it is told from the process that prepares images."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec


@dataclass(frozen=True, slots=True)
class Image:
    """A stored image. `layers` are folders relative to `home`, the topmost first; nobody writes to them.

    `register` is the storage's list of images and `register_changed` its time of change in nanoseconds: while that
    stays, name and layers are still right. `environment` holds `NAME=value`; the rest is what its author configured.
    """

    id: str
    home: str
    layers: tuple[str, ...]
    register: str
    register_changed: int
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    user: str = ""
    working_folder: str = ""
    stop_signal: str = ""

    def is_current(self) -> bool:
        """Whether the storage has not changed since."""
        try:
            return Path(self.register).stat().st_mtime_ns == self.register_changed
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class ImageWish:
    """What is to be prepared. `policy` is `if-missing`, `always` or `never`; `architecture` as images name it;
    `credentials` are user name and password of its registry, None for what podman knows."""

    name: str
    policy: str
    architecture: str | None = None
    credentials: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """How it went: an image, or the reason for container.reason."""

    image: Image | None = None
    failure: str | None = None


def as_text(value: ImageWish | Prepared) -> str:
    """As one process says it to another."""
    return msgspec.json.encode(value).decode()


def wish_of(text: str) -> ImageWish:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(text, type=ImageWish)


def prepared_of(text: bytes) -> Prepared:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(text, type=Prepared)
