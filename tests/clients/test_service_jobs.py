"""Service jobs as boto3 sees them: training programs that really run, and what becomes of them."""

import json
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.server_process import ServerProcess, steady_port, wait_for
from tests.clients.yard import ENDED, Detail, Yard

pytestmark = pytest.mark.process

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
PREFIX = "Received status from SageMaker: "
COMPLETED = f"{PREFIX}Training job completed"

TRAIN = """
import json, os, pathlib
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
parameters = json.loads((base / "input/config/hyperparameters.json").read_text())
numbers = [float(line) for line in open(os.environ["SM_CHANNEL_TRAIN"] + "/numbers.csv")]
weight = sum(numbers) * float(parameters["rate"])
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.json").write_text(json.dumps({"weight": weight}))
pathlib.Path("output/data/metrics").write_text("loss=0")
print("trained", os.environ["TRAINING_JOB_NAME"], weight, flush=True)
"""


class Training:
    """A service environment of two instances, its queue, and the sentences that tests say about service jobs."""

    def __init__(self, yard: Yard) -> None:
        self.yard, self.batch = yard, yard.batch
        self.queue = self.environment = f"training-{uuid.uuid4().hex[:8]}"
        limits = [{"maxCapacity": 2, "capacityUnit": "NUM_INSTANCES"}]
        self.batch.create_service_environment(
            serviceEnvironmentName=self.environment,
            serviceEnvironmentType="SAGEMAKER_TRAINING",
            capacityLimits=limits,
        )
        self.batch.create_job_queue(
            jobQueueName=self.queue,
            jobQueueType="SAGEMAKER_TRAINING",
            priority=1,
            serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": self.environment}],
        )
        self.submitted: list[str] = []

    def submit(self, *command: str, payload: dict[str, Any] | None = None, **members: Any) -> str:
        """Submit a command as entry point; `payload` changes the CreateTrainingJob request."""
        request = {
            "TrainingJobName": "my-training-job",
            "AlgorithmSpecification": {"TrainingImage": "image", "ContainerEntrypoint": list(command)},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            **(payload or {}),
        }
        members = {"jobName": "train", "serviceRequestPayload": json.dumps(request), **members}
        answer = self.batch.submit_service_job(jobQueue=self.queue, serviceJobType="SAGEMAKER_TRAINING", **members)
        self.submitted.append(answer["jobId"])
        return str(answer["jobId"])

    def shell(self, script: str, **members: Any) -> str:
        return self.submit("sh", "-c", script, **members)

    def describe(self, job_id: str) -> Detail:
        return dict(self.batch.describe_service_job(jobId=job_id))

    def until(self, job_id: str, *statuses: str) -> Detail:
        return wait_for(
            lambda: job if (job := self.describe(job_id))["status"] in statuses else None, f"{job_id} in {statuses}"
        )

    def ended(self, job_id: str) -> Detail:
        return self.until(job_id, *ENDED)

    def name_of(self, job: Detail) -> str:
        """The name of the latest training job."""
        return str(job["latestAttempt"]["serviceResourceId"]["value"].rpartition("/")[2])

    def folder(self, job: Detail) -> Path:
        return self.yard.server.data / "training" / self.name_of(job)

    def listed(self, **request: Any) -> list[str]:
        pages = self.batch.get_paginator("list_service_jobs").paginate(jobQueue=self.queue, **request)
        return [job["jobId"] for page in pages for job in page["jobSummaryList"]]

    def clear(self) -> None:
        self.batch.terminate_service_jobs(jobs=self.submitted[-50:], reason="the test is over")
        for job_id in self.submitted:
            self.ended(job_id)


@pytest.fixture
def training(shared_yard: Yard) -> Iterator[Training]:
    made = Training(shared_yard)
    yield made
    made.clear()


def test_a_program_reads_its_hyperparameters_and_data_and_leaves_a_model(training: Training, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "numbers.csv").write_text("1\n2\n3\n")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": (tmp_path / "data").as_uri()}}
    payload = {
        "HyperParameters": {"rate": "0.5"},
        "InputDataConfig": [{"ChannelName": "train", "DataSource": source, "ContentType": "text/csv"}],
        "Environment": {"GREETING": "hello"},
    }
    job_id = training.submit(sys.executable, "-c", TRAIN, payload=payload, tags={"team": "a"})
    job = training.ended(job_id)

    assert (job["status"], job["statusReason"]) == ("SUCCEEDED", COMPLETED)
    name = training.name_of(job)
    assert name.startswith("AWSBatchmy-training-job")
    assert len(name) <= 63
    (attempt,) = job["attempts"]
    assert attempt["statusReason"] == COMPLETED
    assert attempt["serviceResourceId"] == job["latestAttempt"]["serviceResourceId"]
    assert job["createdAt"] <= job["scheduledAt"] <= job["startedAt"] <= job["stoppedAt"]
    assert job["capacityUsage"] == [{"capacityUnit": "NUM_INSTANCES", "quantity": 1.0}]
    assert (job["tags"], job["isTerminated"]) == ({"team": "a"}, False)
    assert json.loads(job["serviceRequestPayload"])["HyperParameters"] == {"rate": "0.5"}
    folder = training.folder(job)
    assert json.loads((folder / "model/model.json").read_text()) == {"weight": 3.0}
    assert (folder / "output/data/metrics").read_text() == "loss=0"
    config = json.loads((folder / "input/config/inputdataconfig.json").read_text())
    assert config["train"]["ContentType"] == "text/csv"
    assert json.loads((folder / "input/config/resourceconfig.json").read_text())["hosts"] == ["algo-1"]
    streams = training.yard.logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=name)["logStreams"]
    assert [stream["logStreamName"].rpartition("-")[0] for stream in streams] == [f"{name}/algo-1"]
    events = training.yard.log_events(streams[0]["logStreamName"], LOG_GROUP)
    assert [event["message"] for event in events] == [f"trained {name} 3.0"]


def test_a_program_of_hyperparameters_runs_as_the_training_toolkit_runs_it(training: Training, tmp_path: Path) -> None:
    (tmp_path / "train.sh").write_text('echo "$@"; echo "$SM_HP_EPOCHS $SM_HPS"\n')
    parameters = {
        "sagemaker_program": '"train.sh"',
        "sagemaker_submit_directory": json.dumps(tmp_path.as_uri()),
        "epochs": "10",
        "opt": '"adam"',
    }
    payload = {"AlgorithmSpecification": {"TrainingImage": "image"}, "HyperParameters": parameters}
    job = training.ended(training.submit(payload=payload))
    assert job["status"] == "SUCCEEDED"
    streams = training.yard.logs.describe_log_streams(
        logGroupName=LOG_GROUP, logStreamNamePrefix=training.name_of(job)
    )["logStreams"]
    lines = [event["message"] for event in training.yard.log_events(streams[0]["logStreamName"], LOG_GROUP)]
    assert lines == ["--epochs 10 --opt adam", '10 {"epochs":10,"opt":"adam"}']


def test_without_entry_point_the_command_is_train(training: Training) -> None:
    job = training.ended(training.submit(payload={"AlgorithmSpecification": {"ContainerArguments": ["--quick"]}}))
    reason = f'{PREFIX}AlgorithmError: CannotStartContainerError: exec: "train": executable file not found in $PATH'
    assert (job["status"], job["statusReason"]) == ("FAILED", reason)


def test_what_a_program_says_of_its_failure_is_the_status_reason(training: Training) -> None:
    job = training.ended(training.shell('echo "the data  are\nempty" > "$SM_OUTPUT_DIR/failure"; exit 3'))
    assert job["status"] == "FAILED"
    assert job["statusReason"] == f"{PREFIX}AlgorithmError: the data are empty, exit code: 3"
    assert training.ended(training.shell("exit 4"))["statusReason"] == f"{PREFIX}AlgorithmError: , exit code: 4"


def test_a_retry_finds_the_checkpoints_and_nothing_else_of_the_attempt_before(training: Training) -> None:
    script = (
        "[ ! -e model/half ] || exit 9; touch model/half;"
        "[ -e checkpoints/first ] && exit 0; touch checkpoints/first; echo flaky > output/failure; exit 1"
    )
    rules = [
        {"action": "RETRY", "onStatusReason": f"{PREFIX}AlgorithmError: flaky*"},
        {"action": "EXIT", "onStatusReason": "*"},
    ]
    job = training.ended(training.shell(script, retryStrategy={"attempts": 3, "evaluateOnExit": rules}))
    assert job["status"] == "SUCCEEDED"
    assert [attempt["statusReason"] for attempt in job["attempts"]] == [
        f"{PREFIX}AlgorithmError: flaky, exit code: 1",
        COMPLETED,
    ]
    assert job["retryStrategy"] == {"attempts": 3, "evaluateOnExit": rules}
    names = {attempt["serviceResourceId"]["value"] for attempt in job["attempts"]}
    assert len(names) == 2
    other = training.ended(training.shell("exit 1", retryStrategy={"attempts": 3, "evaluateOnExit": rules}))
    assert (other["status"], len(other["attempts"])) == ("FAILED", 1)


def test_a_stopping_condition_ends_a_training_job(training: Training) -> None:
    job_id = training.shell("exec sleep 600", payload={"StoppingCondition": {"MaxRuntimeInSeconds": 1}})
    job = training.ended(job_id)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Job attempt duration exceeded timeout")


def test_instances_are_counted_and_what_waits_can_be_terminated(training: Training) -> None:
    running = [training.shell("exec sleep 600") for _ in range(2)]
    for job_id in running:
        training.until(job_id, "RUNNING")
    waiting, updated = training.shell("true"), training.shell("true")
    assert training.describe(waiting)["status"] == "RUNNABLE"
    snapshot = training.batch.get_job_queue_snapshot(jobQueue=training.queue)
    assert [job["jobArn"].rpartition(":")[2] for job in snapshot["frontOfQueue"]["jobs"]] == [
        f"service-job/{waiting}",
        f"service-job/{updated}",
    ]
    usage = snapshot["queueUtilization"]["totalCapacityUsage"]
    assert usage == [{"capacityUnit": "NUM_INSTANCES", "quantity": 2.0}]

    training.batch.terminate_service_job(jobId=waiting, reason="not needed")
    job = training.describe(waiting)
    assert (job["status"], job["statusReason"], job["isTerminated"]) == ("FAILED", "not needed", True)
    assert "latestAttempt" not in job
    training.batch.update_service_job(jobId=updated, schedulingPriority=7)
    assert training.describe(updated)["schedulingPriority"] == 7

    many = training.batch.terminate_service_jobs(jobs=[running[0], str(uuid.uuid4()), "no id!"], reason="enough")
    assert many["successful"][0] == running[0]
    assert [error["job"] for error in many["errors"]] == ["no id!"]
    job = training.ended(running[0])
    assert (job["status"], job["statusReason"], job["isTerminated"]) == ("FAILED", "enough", True)
    assert len(job["attempts"]) == 1
    assert training.ended(updated)["status"] == "SUCCEEDED"
    assert training.describe(running[1])["status"] == "RUNNING"


def test_lists_show_a_status_or_what_a_filter_finds(training: Training) -> None:
    done = [training.shell("true", jobName=f"short-{number}") for number in range(3)]
    for job_id in done:
        training.ended(job_id)
    running = training.shell("exec sleep 600", jobName="Long")
    training.until(running, "RUNNING")
    assert training.listed() == [running]
    assert training.listed(jobStatus="SUCCEEDED", PaginationConfig={"PageSize": 2}) == done[::-1]
    assert training.listed(filters=[{"name": "JOB_NAME", "values": ["long"]}]) == [running]
    assert training.listed(filters=[{"name": "JOB_NAME", "values": ["short*"]}]) == done[::-1]
    created = str(training.describe(running)["createdAt"])
    assert training.listed(filters=[{"name": "BEFORE_CREATED_AT", "values": [created]}]) == done[::-1]
    assert training.listed(jobStatus="STARTING") == []
    assert training.yard.listed(jobQueue=training.queue, jobStatus="RUNNING") == []
    assert training.batch.describe_jobs(jobs=[running])["jobs"] == []
    summary = training.batch.list_service_jobs(jobQueue=training.queue)["jobSummaryList"][0]
    assert summary["latestAttempt"] == training.describe(running)["latestAttempt"]
    assert "isTerminated" not in summary


def test_a_client_token_makes_one_job_of_one_request(training: Training) -> None:
    token = uuid.uuid4().hex
    first = training.shell("true", clientToken=token)
    assert training.shell("true", clientToken=token) == first
    assert training.shell("false", clientToken=token) != first


SETTINGS = """
max_vcpus = 2.0
max_memory = 4096

[service_jobs.instance]
vcpus = 0.5
memory = 1024

[service_jobs.instances."ml.huge"]
vcpus = 100.0

[service_jobs.folders]
"s3://my-bucket" = "{bucket}"
"""

WEIGHT = """
import json, os, pathlib, sys
assert sys.argv[1:] == ["--rate", "0.5"], sys.argv
numbers = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "numbers.csv").read_text().split()
weight = float(os.environ["SM_HP_RATE"]) * sum(map(float, numbers))
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.json").write_text(json.dumps({"weight": weight}))
"""


def test_the_settings_say_what_s3_means_and_what_an_instance_is(tmp_path: Path) -> None:
    bucket, settings = tmp_path / "bucket", tmp_path / "settings.toml"
    for folder, file, text in (("code", "train.py", WEIGHT), ("numbers", "numbers.csv", "1\n2\n")):
        (bucket / folder).mkdir(parents=True)
        (bucket / folder / file).write_text(text)
    settings.write_text(SETTINGS.format(bucket=bucket))
    server = ServerProcess(tmp_path, "--config", str(settings))
    server.start()
    try:
        training = Training(Yard.at(server))
        channel = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://my-bucket/numbers"}}
        program = {"sagemaker_program": "train.py", "sagemaker_submit_directory": "s3://my-bucket/code"}
        payload = {
            "AlgorithmSpecification": {"TrainingImage": "any", "TrainingInputMode": "File"},
            "HyperParameters": {"rate": "0.5", **program},
            "InputDataConfig": [{"ChannelName": "train", "DataSource": channel}],
            "OutputDataConfig": {"S3OutputPath": "s3://my-bucket/models"},
        }
        job = training.ended(training.submit(payload=payload))
        assert job["statusReason"] == COMPLETED
        model = bucket / "models" / training.name_of(job) / "model" / "model.json"
        assert json.loads(model.read_text()) == {"weight": 1.5}

        huge = training.submit("true", payload={"ResourceConfig": {"InstanceType": "ml.huge"}})
        job = wait_for(lambda: job if "statusReason" in (job := training.describe(huge)) else None, "a reason")
        assert job["status"] == "RUNNABLE"
        assert job["statusReason"].startswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")
        training.clear()
    finally:
        server.end()


def test_a_training_job_runs_on_under_a_killed_server(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, "--max-vcpus", "4", "--max-memory", "65536", settings={"stop_grace_seconds": 1.0})
    server.start(steady_port())
    try:
        training = Training(Yard.at(server))
        gate = tmp_path / "gate"
        script = f"until [ -e {gate} ]; do sleep 0.02; done; echo done > model/result"
        token = uuid.uuid4().hex
        job_id = training.shell(script, clientToken=token)
        running = training.until(job_id, "RUNNING")
        server.kill()
        gate.touch()
        server.start(server.port)
        job = training.ended(job_id)
        assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 1)
        assert job["latestAttempt"] == running["latestAttempt"]
        assert (training.folder(job) / "model/result").read_text() == "done\n"
        assert training.shell(script, clientToken=token) == job_id

        retried = training.shell(
            '[ "$AWS_BATCH_JOB_ATTEMPT" = 2 ] || exec sleep 600',
            retryStrategy={
                "attempts": 2,
                "evaluateOnExit": [{"action": "RETRY", "onStatusReason": f"{PREFIX}InternalServerError*"}],
            },
        )
        training.until(retried, "RUNNING")
        supervisor = server.supervisor()
        server.kill()
        supervisor.kill()
        server.start(server.port)
        job = training.ended(retried)
        assert [attempt["statusReason"] for attempt in job["attempts"]] == [
            f"{PREFIX}InternalServerError: We encountered an internal error. Please try again.",
            COMPLETED,
        ]
    finally:
        server.end()
