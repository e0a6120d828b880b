"""Appends what one attempt writes, as it comes, without ever failing the process that runs attempts."""

import errno
import os
from pathlib import Path

from batchyard.core.ids import AttemptId, Millis
from batchyard.logs.files import INDEX_RECORD, index_path, log_path


class AttemptLogWriter:
    """The growing log of one attempt. Files appear with the first byte; one that is there already is gone on with.

    Beyond `cap_bytes` (None for no limit) output is discarded, and one last line says so. While the disk takes
    nothing, output is discarded too, and a line says how much once it does again.
    """

    def __init__(self, logs: Path, attempt_id: AttemptId, cap_bytes: int | None) -> None:
        self._logs = logs
        self._attempt_id = attempt_id
        self._cap_bytes = cap_bytes
        self._log = -1
        self._index = -1
        self._size = 0
        self._records = 0
        self._indexed_at = -1
        self._capped = False
        self._discarded = 0
        self._mid_line = False

    def write(self, chunk: bytes, now: Millis) -> None:
        """Append bytes that were taken in at `now`."""
        if self._capped:
            return
        if self._cap_bytes is not None and self._size + len(chunk) > self._cap_bytes:
            chunk = chunk[: max(0, self._cap_bytes - self._size)]
            self._capped = True
        before = self._size
        try:
            if self._log < 0:
                self._open()
            if self._discarded:
                self._note(f"[{self._discarded} bytes of output lost: the disk took nothing]", now)
                self._discarded = 0
            self._append(chunk, now)
            if self._capped:
                self._note(f"[output beyond {self._cap_bytes} bytes discarded]", now)
        except OSError:
            self._discarded += max(0, len(chunk) - (self._size - before))

    def _open(self) -> None:
        path = log_path(self._logs, self._attempt_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        if self._index < 0:
            self._index = os.open(index_path(self._logs, self._attempt_id), flags, 0o644)
        self._log = os.open(path, flags | os.O_APPEND, 0o644)

    def resume(self) -> int:
        """Go on after what an earlier writer of this attempt left, and say how many bytes that is. To be called before
        the first `write`."""
        path = log_path(self._logs, self._attempt_id)
        if not path.exists():
            return 0
        self._open()
        self._size = os.fstat(self._log).st_size
        self._capped = self._cap_bytes is not None and self._size >= self._cap_bytes
        self._records = os.fstat(self._index).st_size // INDEX_RECORD.size
        while self._records:
            last = os.pread(self._index, INDEX_RECORD.size, (self._records - 1) * INDEX_RECORD.size)
            offset, self._indexed_at = INDEX_RECORD.unpack(last)
            if offset < self._size:  # Else it was written for bytes that never came, and is written over.
                break
            self._records -= 1
            self._indexed_at = -1
        return self._size

    def _append(self, chunk: bytes, now: Millis) -> None:
        if now > self._indexed_at:
            # At a place of its own, so that a record cut short by a full disk is written over, not built upon.
            record = INDEX_RECORD.pack(self._size, now)
            if os.pwrite(self._index, record, self._records * INDEX_RECORD.size) < INDEX_RECORD.size:
                raise OSError(errno.ENOSPC, "index record cut short")
            self._records += 1
            self._indexed_at = now
        view = memoryview(chunk)
        while view:
            written = os.write(self._log, view)
            self._size += written
            self._mid_line = view[written - 1] != ord("\n")
            view = view[written:]

    def _note(self, text: str, now: Millis) -> None:
        line_break = "\n" if self._mid_line else ""
        self._append(f"{line_break}{text}\n".encode(), now)

    def close(self) -> None:
        """Let go of the files; what was written stays."""
        for descriptor in (self._log, self._index):
            if descriptor >= 0:
                os.close(descriptor)
        self._log = self._index = -1
