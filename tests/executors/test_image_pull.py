"""Pulls of the oci executor from a registry that wants to know who asks."""

import base64
import http.server
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchyard.supervisor.containers.image import ImageWish, as_text, prepared_of

pytestmark = pytest.mark.process

PASSWORD = "correct-horse"


class Registry(http.server.BaseHTTPRequestHandler):
    """Lets nobody in, and notes who asked."""

    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization", ""))
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="test"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Nothing."""


@pytest.fixture
def registry() -> Iterator[tuple[str, list[str]]]:
    """Its host, and who has asked."""
    seen: list[str] = []
    handler = type("Handler", (Registry,), {"seen": seen})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}", seen
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed here")
def test_repository_credentials_reach_the_registry_and_nobody_else(
    registry: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, seen = registry
    configuration, result = tmp_path / "registries.conf", tmp_path / "result"
    configuration.write_text(f'[[registry]]\nlocation = "{host}"\ninsecure = true\n')
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(configuration))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    wish = ImageWish(f"{host}/team/tool:1", "always", credentials=("me", PASSWORD))
    done = subprocess.run(
        [sys.executable, "-m", "batchyard.supervisor.containers.prepare_image", str(result)],
        check=True,
        input=as_text(wish),
        capture_output=True,
        text=True,
    )
    assert f"Basic {base64.b64encode(f'me:{PASSWORD}'.encode()).decode()}" in seen
    prepared = prepared_of(result.read_bytes())
    assert (prepared.failure or "").startswith("CannotPullContainerError: ")
    assert PASSWORD not in done.stdout + done.stderr + str(prepared) + repr(wish)
    assert not list(tmp_path.glob("*.json"))
