"""The data folder: who owns it now, and the secret that it keeps."""

import fcntl
import os
import secrets
from pathlib import Path

from batchyard.server.problem import ConfigurationProblem

_LOCK = "server.lock"
_PROCESS_ID = "server.pid"


class DataFolder:
    """A data folder held by this process; one server at a time may hold it."""

    def __init__(self, path: Path) -> None:
        """Make the folder if need be and lock it. Raises ConfigurationProblem if another server has it."""
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise ConfigurationProblem(
                f"The data folder {path} cannot be used: {problem.strerror}. Choose another with --data."
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise ConfigurationProblem(
                f"Another batchyard serves the data folder {path}. Stop it, or choose another folder with --data."
            ) from None
        (path / _PROCESS_ID).write_text(f"{os.getpid()}\n")

    def token_key(self) -> bytes:
        """The secret with which page tokens are signed; made at the first start."""
        file = self.path / "token.key"
        if not file.exists():
            made = self.path / "token.key.new"
            descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(secrets.token_bytes(32))
                out.flush()
                os.fsync(out.fileno())
            made.rename(file)
        return file.read_bytes()

    def close(self) -> None:
        """Let another server have it."""
        (self.path / _PROCESS_ID).unlink(missing_ok=True)
        os.close(self._lock)


def serving_process(path: Path) -> int | None:
    """The id of the process that holds the data folder now, or None if no server does.

    Raises OSError if the folder's lock cannot be read, ValueError if a server holds it and has not said its id yet.
    """
    try:
        lock = os.open(path / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int((path / _PROCESS_ID).read_text())
    finally:
        os.close(lock)
    return None
