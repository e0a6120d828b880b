"""Run /bin/true TASKS times through HyperQueue and print the seconds: `hyperqueue_array.py FOLDER TASKS CORES`.

Run by the interpreter of `.venv-bench`, where HyperQueue is installed: its server and one worker live in this process,
on loopback. The tasks' output goes nowhere, which is HyperQueue's quickest way.
"""

import os
import sys
import time

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig


def main() -> None:
    folder, tasks, cores = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.chdir(folder)
    with LocalCluster(folder, WorkerConfig(cores=cores)) as cluster:
        client = cluster.client()
        job = Job()
        for _ in range(tasks):
            job.program(["/bin/true"], stdout=None, stderr=None)
        start = time.perf_counter()
        client.wait_for_jobs([client.submit(job)])
        print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
