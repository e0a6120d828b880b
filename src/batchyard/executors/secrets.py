"""Secrets of jobs: named in definitions, known to this machine alone, put into environments as attempts are launched.

`secrets` of a container names variables and, for each, where its value is from (F 7.3): the ARN of a secret or of a
parameter, or a parameter's name. `[secrets]` of the configuration says what each of those is here: a file, a variable
of the server's environment, or what a command prints. A value is read when an attempt is launched, goes with the launch
to whoever runs it, and is written nowhere else: no record, journal, log or answer has it.

An ARN of Secrets Manager may end in `:json-key:version-stage:version-id`. Such an entry is looked for as it is; else
the secret without that ending, of whose JSON object the key is taken.
"""

import json
import os
import queue
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from batchyard.executors.interface import Capacity, Container, Executor, Launch, Message, Order, Position

Resolve = Callable[[str], str]
"""Gives the value of a secret by its valueFrom. Raises ValueError, whose text names the secret and never its value."""

_COMMAND_SECONDS = 30
_ARN_PARTS = 7
_JSON_KEY = 7


@dataclass(frozen=True, slots=True)
class SecretSource:
    """One entry of `[secrets]`: exactly one of the three is given."""

    file: str | None = None
    environment: str | None = None
    command: tuple[str, ...] | None = None


def resolver(sources: Mapping[str, SecretSource]) -> Resolve:
    """What reads these secrets."""

    def resolve(value_from: str) -> str:
        if (source := sources.get(value_from)) is not None:
            return _read(value_from, source)
        parts = value_from.split(":")
        secret = ":".join(parts[:_ARN_PARTS])
        if len(parts) > _ARN_PARTS and parts[2] == "secretsmanager" and secret in sources:
            key = parts[_JSON_KEY]
            text = _read(secret, sources[secret])
            return _member(value_from, text, key) if key else text
        raise ValueError(f"{value_from} is not in the setting [secrets] of this server")

    return resolve


def _read(name: str, source: SecretSource) -> str:
    """The value, without the line break at its end."""
    try:
        if source.file is not None:
            text = Path(source.file).expanduser().read_text()
        elif source.environment is not None:
            text = os.environ[source.environment]
        else:
            text = subprocess.run(
                list(source.command or ()),
                check=True,
                capture_output=True,
                text=True,
                timeout=_COMMAND_SECONDS,
                stdin=subprocess.DEVNULL,
            ).stdout
    except KeyError:
        raise ValueError(f"{name}: the server's environment has no variable {source.environment}") from None
    except subprocess.CalledProcessError as failure:
        raise ValueError(f"{name}: its command ended with {failure.returncode}") from None
    except subprocess.TimeoutExpired:
        raise ValueError(f"{name}: its command took more than {_COMMAND_SECONDS} seconds") from None
    except OSError as failure:
        raise ValueError(f"{name}: {failure.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name}: it is no text") from None
    return text.removesuffix("\n")


def _member(value_from: str, text: str, key: str) -> str:
    try:
        value = json.loads(text)[key]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{value_from}: the secret is no JSON object with the key {key}") from None
    return value if isinstance(value, str) else json.dumps(value)


class WithSecrets:
    """An executor that is given launches with their secrets in the environment (`interface.Executor`).

    A command may take its time, so launches with secrets, and orders given behind them, wait in a thread.
    """

    def __init__(self, inner: Executor, resolve: Resolve) -> None:
        self._inner = inner
        self._resolve = resolve
        self.name = inner.name
        self.instance_id = inner.instance_id
        self._waiting: queue.SimpleQueue[Sequence[Order] | None] = queue.SimpleQueue()
        self._unfinished = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, after: Position, sink: Callable[[Message], None]) -> None:
        """See `Executor.start`."""
        self._inner.start(after, sink)

    def configure(self, capacity: Capacity) -> None:
        """See `Executor.configure`."""
        self._inner.configure(capacity)

    def order(self, orders: Sequence[Order]) -> None:
        """See `Executor.order`."""
        with self._lock:
            if self._unfinished or any(_has_secrets(order) for order in orders):
                self._unfinished += 1
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="secrets", daemon=True)
                    self._thread.start()
                self._waiting.put(orders)
                return
        self._inner.order(orders)

    def acknowledge(self, position: Position) -> None:
        """See `Executor.acknowledge`."""
        self._inner.acknowledge(position)

    def honours(self) -> Mapping[str, str]:
        """See `Executor.honours`."""
        return self._inner.honours()

    def close(self) -> None:
        """See `Executor.close`. Launches that wait for a secret are given up; the next server derives them again."""
        self._waiting.put(None)
        self._inner.close()

    def _run(self) -> None:
        while (orders := self._waiting.get()) is not None:
            self._inner.order([self._with_secrets(order) for order in orders])
            with self._lock:
                self._unfinished -= 1

    def _with_secrets(self, order: Order) -> Order:
        if not isinstance(order, Launch) or not _has_secrets(order):
            return order
        try:
            return replace(order, containers=tuple(self._filled(container) for container in order.containers))
        except ValueError as problem:
            bare = tuple(replace(container, secrets={}) for container in order.containers)
            reason = f"ResourceInitializationError: unable to pull secrets or registry auth: {problem}"
            return replace(order, containers=bare, impossible=reason)

    def _filled(self, container: Container) -> Container:
        values = {name: self._resolve(value_from) for name, value_from in container.secrets.items()}
        filled = replace(container, environment={**container.environment, **values}, secrets={})
        if (parameter := _registry_secret(container)) and filled.isolation:
            found = registry_credentials(parameter, self._resolve)
            return replace(filled, isolation=replace(filled.isolation, credentials=found))
        return filled


def registry_credentials(parameter: str, resolve: Resolve) -> tuple[str, str]:
    """User name and password from the secret that repositoryCredentials names: JSON, as AWS keeps it. Raises
    ValueError."""
    text = resolve(parameter)
    return _member(parameter, text, "username"), _member(parameter, text, "password")


def _registry_secret(container: Container) -> str | None:
    return container.isolation.credentials_parameter if container.isolation else None


def _has_secrets(order: Order) -> bool:
    return isinstance(order, Launch) and any(each.secrets or _registry_secret(each) for each in order.containers)
