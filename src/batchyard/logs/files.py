"""Where the output of an attempt lies, and in what form.

`LOGS/<first two digits>/<attempt id>.log` holds the bytes as the job wrote them, standard output and error together,
so that anybody can `cat` it. Beside it, `<attempt id>.idx` says when they came: records of sixteen bytes, each a byte
offset and the time in milliseconds since the epoch at which the bytes from there on were taken in; both numbers only
rise. An attempt that wrote nothing has neither file.
"""

import struct
from pathlib import Path

INDEX_RECORD = struct.Struct("<QQ")


def logs_folder(data: Path) -> Path:
    """Where a data folder keeps what attempts wrote."""
    return data / "logs"


def log_path(logs: Path, attempt_id: str) -> Path:
    """The file that holds the attempt's output, which need not exist."""
    return logs / attempt_id[:2] / f"{attempt_id}.log"


def index_path(logs: Path, attempt_id: str) -> Path:
    """The file that says when the attempt's output came."""
    return logs / attempt_id[:2] / f"{attempt_id}.idx"
