"""The images that containers of this supervisor wait for or have: each is prepared once, however many want it.

Preparing is the work of a child (`prepare_image`), so that neither the loop nor another attempt waits for a pull. What
it says goes to the log of every container that waits.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from batchyard.supervisor.containers.image import Image, ImageWish, Prepared, as_text, prepared_of

_READ_BYTES = 1 << 16
_MODULE = "batchyard.supervisor.containers.prepare_image"


class Watch(Protocol):
    """Tells when a descriptor can be read."""

    def add(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Call `ready` whenever the descriptor can be read."""

    def remove(self, descriptor: int) -> None:
        """Call no more."""


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """Somebody who waits for an image: `said` is given what is said of its progress, `done` how it went."""

    said: Callable[[bytes], None]
    done: Callable[[Prepared], None]


@dataclass(slots=True)
class _Preparation:
    wish: ImageWish
    result: Path
    output: int
    waiting: list[Waiting] = field(default_factory=list)


class Images:
    """Those of one data folder; `folder` is for results on their way."""

    def __init__(self, folder: Path, watch: Watch) -> None:
        self._folder = folder
        self._watch = watch
        self._known: dict[tuple[str, str | None], Image] = {}
        self._preparations: dict[int, _Preparation] = {}
        self._made = 0

    @property
    def helpers(self) -> list[int]:
        """The processes that prepare images now."""
        return list(self._preparations)

    def find(self, wish: ImageWish) -> Image | None:
        """The image, if it is known, has not changed since, and need not be asked for anew."""
        known = self._known.get((wish.name, wish.architecture))
        return known if known and wish.policy != "always" and known.is_current() else None

    def request(self, wish: ImageWish, waiting: Waiting) -> None:
        """Have it prepared, together with whoever waits for the same. Raises OSError."""
        preparation = next((p for p in self._preparations.values() if p.wish == wish), None)
        (preparation or self._prepare(wish)).waiting.append(waiting)

    def give_up(self, waiting: Waiting) -> None:
        """Wait no longer. The preparation goes on, since others will want the image."""
        for preparation in self._preparations.values():
            if waiting in preparation.waiting:
                preparation.waiting.remove(waiting)

    def end(self) -> None:
        """Prepare nothing any longer; pulls are broken off."""
        for process_id in self._preparations:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process_id, signal.SIGTERM)

    def reaped(self, process_id: int) -> bool:
        """A child has died; whether it was one of these. Then those who wait are told."""
        preparation = self._preparations.pop(process_id, None)
        if preparation is None:
            return False
        self._take_output(preparation)
        self._watch.remove(preparation.output)
        os.close(preparation.output)
        prepared = self._outcome(preparation)
        if prepared.image:
            self._known[preparation.wish.name, preparation.wish.architecture] = prepared.image
        for waiting in preparation.waiting:
            waiting.done(prepared)
        return True

    def _prepare(self, wish: ImageWish) -> _Preparation:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._made += 1
        result = self._folder / f"{os.getpid()}-{self._made}"
        output, into = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        order = os.memfd_create("wish", os.MFD_CLOEXEC)
        try:
            os.write(order, as_text(wish).encode())
            os.lseek(order, 0, os.SEEK_SET)
            os.set_blocking(into, True)
            process_id = os.posix_spawn(
                sys.executable,
                [sys.executable, "-X", "utf8", "-m", _MODULE, str(result)],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, order, 0),
                    (os.POSIX_SPAWN_DUP2, into, 1),
                    (os.POSIX_SPAWN_DUP2, into, 2),
                ],
                setsid=True,
            )
        except OSError:
            os.close(output)
            raise
        finally:
            os.close(into)
            os.close(order)
        preparation = _Preparation(wish, result, output)
        self._preparations[process_id] = preparation
        self._watch.add(output, lambda: self._take_output(preparation))
        return preparation

    def _take_output(self, preparation: _Preparation) -> None:
        with contextlib.suppress(BlockingIOError):
            if said := os.read(preparation.output, _READ_BYTES):
                for waiting in preparation.waiting:
                    waiting.said(said)

    def _outcome(self, preparation: _Preparation) -> Prepared:
        try:
            prepared = prepared_of(preparation.result.read_bytes())
        except (OSError, msgspec.DecodeError):
            prepared = Prepared(failure="CannotPullContainerError: the process that prepares images has died")
        with contextlib.suppress(OSError):
            preparation.result.unlink()
        return prepared
