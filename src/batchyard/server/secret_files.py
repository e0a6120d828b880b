"""Secrets that a configuration points at, and who else can read them."""

from pathlib import Path

from batchyard.server.problem import ConfigurationProblem

_OTHERS = 0o007


def secret_in(file: Path) -> str:
    """What the file holds, without the white space around it.

    Raises ConfigurationProblem if it cannot be read, or if everyone on the machine can.
    """
    check_private(file)
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationProblem(f"The secret in {file} cannot be read.") from None


def check_private(file: Path) -> None:
    """Raises ConfigurationProblem for a file with secrets that everyone on the machine can read."""
    try:
        mode = file.stat().st_mode
    except OSError as problem:
        raise ConfigurationProblem(f"The secret in {file} cannot be read: {problem.strerror}.") from None
    if mode & _OTHERS:
        raise ConfigurationProblem(f"Everyone on this machine can read the secrets in {file}: chmod o= {file}")
