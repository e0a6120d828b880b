"""A server whose every operation answers from its request: run as a program, it prints its port once it accepts.

The request comes back as far as the output has members of the same name; `jobName` "refuse" and "bug" bring the two
kinds of failure, and "held" waits until someone has written to the pipe that `jobDefinition` names.
"""

import asyncio
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from batchyard.core.refusals import Refusal
from batchyard.server import connection, listen
from batchyard.server.app import RequestContext, create_app
from batchyard.wire.model import Operation


async def echo(operation: Operation, request: dict[str, Any], context: RequestContext) -> Mapping[str, Any]:
    match request.get("jobName"):
        case "refuse":
            raise Refusal("Job name should match valid pattern", wrapped=True)
        case "bug":
            raise KeyError("a secret of ours")
        case "held":
            await asyncio.to_thread(Path(request["jobDefinition"]).read_bytes)
    if operation.name == "ListTagsForResource":
        return {"tags": {"region": context.region, "key": context.access_key_id, **request}}
    return {"jobId": "id", **request}


def say(word: object) -> None:
    """A line for the test that started this program."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    connection.REQUEST_SECONDS_MAX = float(sys.argv[1])
    listen.run(create_app(echo), "127.0.0.1", 0, lambda _host, port: say(port))
    say("returned")
