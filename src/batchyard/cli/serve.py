"""`batchyard serve`: the server in the foreground."""

import logging
import sys
from pathlib import Path

from batchyard.server.assembly import Yard
from batchyard.server.configuration import read_configuration


def serve(arguments: list[str]) -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    flags = dict(zip([a.removeprefix("--").replace("-", "_") for a in arguments[::2]], arguments[1::2], strict=True))
    converted = {
        n: int(v) if n in ("port", "max_memory") else float(v) if n == "max_vcpus" else Path(v) if n == "data" else v
        for n, v in flags.items()
    }
    yard = Yard(read_configuration(None, converted))
    try:
        yard.serve(lambda host, port: print(f"batchyard listening on http://{host}:{port}", flush=True))
    finally:
        yard.close()
