"""Runs an MPI program over the nodes of a multi-node parallel job. Every node runs `node.py PROGRAM [ARGUMENT ...]`.

    main node                           child nodes
    listens on its address       <----  report theirs, and listen there
    mpirun -- node.py --at HOST  ---->  start orted, which starts the ranks of the node

`mpirun` starts its daemon on other nodes with a remote shell. Nodes have none that lets them in without keys, so this
file is one as well: `node.py --at HOST COMMAND` has the node at HOST run the command, waits for its end, and ends as it
did. Whoever asks has to know the job's id. The daemons are processes of their nodes, and end with them.

It needs Python and Open MPI, and knows nothing but the variables that AWS Batch sets.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

PORT = 22826
"""The same on every node, since each has an address of its own."""

PATIENCE_SECONDS = 120.0
"""How long the nodes of a job wait for each other."""

LOOPBACK = ("opal_if_retain_loopback=1", "oob_tcp_if_include=lo", "btl=tcp,self", "btl_tcp_if_include=lo")
"""Settings of Open MPI for nodes that are all on one machine: it would otherwise pass over loopback addresses."""


def main() -> int:
    """Be the remote shell, the main node or a child node."""
    if sys.argv[1] == "--at":
        return run_at(sys.argv[2], " ".join(sys.argv[3:]))
    node = Node(own_address())
    print(f"node {os.environ['AWS_BATCH_JOB_NODE_INDEX']} is process {os.getpid()} at {node.address}", flush=True)
    threading.Thread(target=node.serve, daemon=True).start()
    main_address = os.environ.get("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS")
    if main_address is None:
        hosts = node.wait_for_all(int(os.environ["AWS_BATCH_JOB_NUM_NODES"]))
        return run_program(hosts, sys.argv[1:])
    ask(main_address, report=node.address)
    threading.Event().wait()  # The main node's end is that of all nodes.
    return 0


def own_address() -> str:
    """Where other nodes reach this one: as Batchyard says, else that of the host's name."""
    return os.environ.get("BATCHYARD_NODE_PRIVATE_IPV4_ADDRESS") or socket.gethostbyname(socket.gethostname())


def job_id() -> str:
    """The id of the job, the same on all of its nodes."""
    return os.environ["AWS_BATCH_JOB_ID"].partition("#")[0]


class Node:
    """Answers on the address of this node: takes in reports of others, runs what the remote shell brings."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._listener = socket.create_server((address, PORT))
        self._known = {address}
        self._news = threading.Condition()

    def serve(self) -> None:
        """Take connections, for ever."""
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def wait_for_all(self, number: int) -> list[str]:
        """The addresses of all nodes, this one first. Raises TimeoutError."""
        with self._news:
            if not self._news.wait_for(lambda: len(self._known) == number, PATIENCE_SECONDS):
                raise TimeoutError(f"{len(self._known)} of {number} nodes have come")
        return [self.address, *sorted(self._known - {self.address})]

    def _answer(self, connection: socket.socket) -> None:
        with closing(connection), connection.makefile("rw") as stream:
            wanted = json.loads(stream.readline())
            if wanted["job"] != job_id():
                return
            if address := wanted.get("report"):
                with self._news:
                    self._known.add(address)
                    self._news.notify_all()
            code = self._run(wanted["run"]) if "run" in wanted else 0
            stream.write(json.dumps({"exit_code": code}) + "\n")

    def _run(self, command: str) -> int:
        """As a child of this process. Daemons of several nodes on one machine must not share their temporary folder."""
        with tempfile.TemporaryDirectory(prefix="mpi-", dir=Path.cwd()) as folder:
            return subprocess.run(
                ["/bin/sh", "-c", command], env={**os.environ, "TMPDIR": folder}, check=False
            ).returncode


def ask(address: str, **request: Any) -> int:
    """Say something to the node at an address, which may not listen yet, and return the exit code it answers with."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            connection = socket.create_connection((address, PORT))
            break
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    with closing(connection), connection.makefile("rw") as stream:
        stream.write(json.dumps({"job": job_id(), **request}) + "\n")
        stream.flush()
        answer = stream.readline()
    return int(json.loads(answer)["exit_code"]) if answer else 255


def run_at(address: str, command: str) -> int:
    """The remote shell."""
    return ask(address, run=command)


def run_program(hosts: list[str], program: list[str]) -> int:
    """`mpirun` of the program with one rank on each node; its exit code is the job's."""
    hostfile = Path(tempfile.mkdtemp(prefix="mpi-", dir=Path.cwd()), "hosts")
    hostfile.write_text("".join(f"{host} slots=1\n" for host in hosts))
    shell = f"{sys.executable} {Path(__file__).resolve()} --at"
    settings = [f"plm_rsh_agent={shell}", "plm_rsh_no_tree_spawn=1", "orte_leave_session_attached=1"]
    settings += LOOPBACK if hosts[0].startswith("127.") else ()
    options = [part for setting in settings for part in ("--mca", *setting.split("=", 1))]
    root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
    command = ["mpirun", *root, "--hostfile", str(hostfile), "-n", str(len(hosts)), "--map-by", "node", *options]
    return subprocess.run([*command, *program], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
