"""A server that speaks S3, for clients which keep files there: moto's, of an environment of its own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_connection

from tests.clients.installed_program import installed
from tests.clients.server_process import STOP_SECONDS, steady_port, wait_for
from tests.clients.yard import client

BUCKET = "files"


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """The address of a server with an empty bucket `files`; skips the test if it is not installed. Logs to folder."""
    port = steady_port()
    url = f"http://127.0.0.1:{port}"
    command = [installed("s3") / "bin" / "python", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (folder / "s3.log").open("ab") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(lambda: running.poll() is not None or _listens(port), "S3 listens")
        client("s3", url, s3={"addressing_style": "path"}).create_bucket(Bucket=BUCKET)
        yield url
    finally:
        running.terminate()
        running.wait(STOP_SECONDS)


def _listens(port: int) -> bool:
    with suppress(OSError), create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
