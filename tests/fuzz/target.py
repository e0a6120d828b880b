"""The server under fire: one process, one connection kept alive, and what must be true of every answer."""

import contextlib
import http.client
import json
import sqlite3
from pathlib import Path
from typing import Any

from botocore.awsrequest import HeadersDict
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.validate import ParamValidator

from tests.clients.server_process import ServerProcess
from tests.clients.yard import client
from tests.fuzz import seeds
from tests.fuzz.strategies import Sent, Texts

ANSWER_SECONDS_MAX = 10.0
NOTHING_FITS = ("--max-vcpus", "0.001")
"""A yard too small for any job, so that nothing that a generated request names is ever run."""

ATTEMPTS_OF_SEEDS = 1
"""Those of the job that writes a log, before anything is generated."""

_MODELS = {
    "batch": ServiceModel(Loader().load_service_model("batch", "service-2", "2016-08-10"), "batch"),
    "logs": ServiceModel(Loader().load_service_model("logs", "service-2", "2014-03-28"), "logs"),
}


class Target:
    """A server that has started. `texts` are what requests may name."""

    def __init__(self, folder: Path) -> None:
        ample = ServerProcess(folder, settings={"synchronous": "OFF"})
        ample.start()
        seeds.write_a_log(client("batch", ample.url))
        ample.end()
        self._server = ServerProcess(folder, *NOTHING_FITS, settings={"synchronous": "OFF"})
        self._server.start()
        self._batch, self._logs = client("batch", self._server.url), client("logs", self._server.url)
        self._connection = self._connect()
        self.seed()

    def seed(self) -> None:
        """Make anew what requests have deleted."""
        self.texts = Texts(seeds.seed(self._batch, self._logs))

    def check(self, sent: Sent) -> int:
        """Send it and see that the answer is one; returns its status. Raises AssertionError."""
        status, headers, body = self._ask(sent)
        shown = f"answered {status}: {body[:500]!r}"
        assert status == 200 or 400 <= status < 500, shown
        assert headers["x-amzn-requestid"], shown
        theirs = _MODELS[sent.operation.service].operation_model(sent.operation.name)
        parser = create_parser(theirs.service_model.metadata["protocol"])
        answer = parser.parse({"status_code": status, "headers": headers, "body": body}, theirs.output_shape)
        answer.pop("ResponseMetadata")
        json.loads(body)  # botocore passes over a body that is not JSON
        if status != 200:
            assert answer["Error"]["Code"], shown
            assert answer["Error"]["Message"], shown
        elif theirs.output_shape is not None:
            broken = _breaks(answer, theirs.output_shape)
            assert not broken, f"{broken}: {shown}"
        return status

    def end(self) -> None:
        """Stop it; it must have started no job and logged no bug."""
        self._connection.close()
        self._server.end()
        with contextlib.closing(sqlite3.connect(self._server.data / "batchyard.sqlite3")) as records:
            attempts = records.execute("SELECT count(*) FROM attempts").fetchone()[0]
        assert attempts == ATTEMPTS_OF_SEEDS, "a generated job was started"
        log = self._server.log.read_text()
        assert "Traceback" not in log, log[-4000:]

    def _ask(self, sent: Sent) -> tuple[int, HeadersDict, bytes]:
        try:
            self._connection.request(sent.method, sent.target, sent.body, dict(sent.headers))
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            # The next request, such as one by which Hypothesis shrinks this one, needs a connection of its own.
            self._connection = self._connect()
            raise
        if answer.will_close:
            self._connection = self._connect()
        return answer.status, HeadersDict(answer.headers.items()), body

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=ANSWER_SECONDS_MAX)


def _breaks(answer: Any, shape: Any) -> list[str]:
    """Where the answer is not what the model says. Jobs that have not run have no startedAt, on AWS too (F 3.3)."""
    report = ParamValidator().validate(answer, shape).generate_report()
    return [line for line in report.splitlines() if "startedAt" not in line]
