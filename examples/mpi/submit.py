"""Submits the MPI example: `submit.py [--nodes 4] [--endpoint-url URL]` prints the id of the job.

On an executor without containers the nodes use this machine's Open MPI and its Python with mpi4py (of Debian:
openmpi-bin and python3-mpi4py).
"""

import argparse
from pathlib import Path

import boto3

HERE = Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"


def main() -> None:
    """Register the definition and submit a job of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--queue", default="default")
    parser.add_argument("--endpoint-url", default="http://127.0.0.1:22824")
    options = parser.parse_args()
    batch = boto3.client(
        "batch",
        endpoint_url=options.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )
    container = {
        "image": "python-with-openmpi",
        "command": [PYTHON, str(HERE / "node.py"), PYTHON, str(HERE / "hello.py")],
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}],
    }
    definition = batch.register_job_definition(
        jobDefinitionName="mpi-hello",
        type="multinode",
        nodeProperties={
            "numNodes": options.nodes,
            "mainNode": 0,
            "nodeRangeProperties": [{"targetNodes": "0:", "container": container}],
        },
    )
    job = batch.submit_job(jobName="mpi-hello", jobQueue=options.queue, jobDefinition=definition["jobDefinitionArn"])
    print(job["jobId"])


if __name__ == "__main__":
    main()
