"""Training jobs: the CreateTrainingJob request in serviceRequestPayload, read as far as a run here depends on it.

Members that SageMaker requires and nothing here needs (RoleArn, OutputDataConfig, ...) may be left out; what is given
must be of the right kind. What runs is, in this order (SageMaker AI Developer Guide, How Amazon SageMaker AI runs your
training image; the SageMaker training toolkit for the second):

1. `AlgorithmSpecification.ContainerEntrypoint` with `ContainerArguments`;
2. the hyperparameter `sagemaker_program`, found in the folder `sagemaker_submit_directory`, with the other
   hyperparameters as `--name value`;
3. the command `train`, with `ContainerArguments`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from batchyard.core import refusals
from batchyard.core.container_properties import check_command
from batchyard.core.ids import AttemptId, Millis
from batchyard.core.resources import Document

SAGEMAKER_TRAINING = "SAGEMAKER_TRAINING"
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
HOST = "algo-1"
"""What SageMaker calls the first instance of a training job; here it is the only one."""

_NAME_CHARACTERS = 63 - len("AWSBatch") - 32
_JOB_NAME = re.compile(r"(?=.{1,63}\Z)[a-zA-Z0-9](-*[a-zA-Z0-9])*")
_CHANNEL_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_RESERVED = "sagemaker_"
_BRACKETS_MAX = 100


@dataclass(frozen=True, slots=True)
class Channel:
    """One entry of InputDataConfig: `uri` is its S3Uri, empty for another source; `config` what
    inputdataconfig.json says of it."""

    name: str
    uri: str
    config: Document


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What a run depends on. `entry_point` is empty where the payload names none."""

    training_job_name: str
    image: str
    entry_point: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    hyper_parameters: Mapping[str, str]
    channels: tuple[Channel, ...]
    instance_type: str
    output_uri: str
    checkpoint_uri: str
    max_runtime_seconds: int | None

    def own_parameters(self) -> dict[str, Any]:
        """The hyperparameters that are the program's, decoded where they are JSON, as the training toolkit does."""
        found = self.hyper_parameters.items()
        return {name: decoded(text) for name, text in found if not name.startswith(_RESERVED)}

    def reserved_parameter(self, name: str) -> str:
        """The hyperparameter `sagemaker_<name>`, decoded; empty if there is none."""
        return str(decoded(self.hyper_parameters.get(_RESERVED + name, "")))


@dataclass(frozen=True, slots=True)
class ServiceTerms:
    """What a service job was submitted as, beside what every job has; the payload as it was given."""

    payload: str
    training: TrainingRequest
    timeout_config: Document | None = None
    quota_share_name: str | None = None
    preemption_configuration: Document | None = None


@dataclass(frozen=True, slots=True)
class TrainingSite:
    """Where training jobs keep what outlives them. `folder` holds a folder for each training job; `folders` maps URIs
    (`s3://bucket/prefix`) to folders of this machine; account and partition go into ARNs."""

    folder: str = "training"
    folders: Mapping[str, str] | None = None
    account: str = "123456789012"
    partition: str = "aws"

    def local(self, uri: str) -> str | None:
        """The path that a URI means on this machine: that of a `file://` URI, or one below the longest mapped prefix.

        None for what is mapped nowhere, and for a path that would lead out of where it is mapped.
        """
        if uri.startswith("file:///"):
            return unquote(uri.removeprefix("file://"))
        for prefix, folder in sorted((self.folders or {}).items(), key=lambda item: -len(item[0])):
            mapped = prefix.rstrip("/")
            if uri == mapped or uri.startswith(mapped + "/"):
                rest = [part for part in uri[len(mapped) :].split("/") if part not in ("", ".")]
                return None if ".." in rest else "/".join([folder.rstrip("/"), *rest])
        return None

    def arn(self, region: str, name: str) -> str:
        """TrainingJobArn."""
        return f"arn:{self.partition}:sagemaker:{region}:{self.account}:training-job/{name}"


def training_job_name(base: str, attempt_id: AttemptId) -> str:
    """The name of the training job that an attempt is: `AWSBatch<name><attempt id>`, within SageMaker's 63 characters
    (User Guide, Getting started with AWS Batch on SageMaker AI)."""
    return f"AWSBatch{base[:_NAME_CHARACTERS].rstrip('-')}{attempt_id}"


def log_stream(base: str, attempt_id: AttemptId, placed_at: Millis) -> str:
    """The stream of an attempt in `LOG_GROUP`: `<training job name>/algo-1-<seconds since the epoch>`."""
    return f"{training_job_name(base, attempt_id)}/{HOST}-{placed_at // 1000}"


def decoded(text: str) -> Any:
    """The value of a hyperparameter that is JSON; the text itself of any other, and of what could not be told on:
    too deep a nesting, half a surrogate pair."""
    if text.count("[") + text.count("{") > _BRACKETS_MAX:
        return text
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return text
    return value


# ------------------------------------------------------------------------------------------------- reading the payload


def read_training_request(payload: Any, job_name: str) -> TrainingRequest:
    """What the decoded payload asks for. Without a TrainingJobName the job's own name is taken, `_` become `-`.

    Raises Refusal for a payload that is no object, for members of the wrong kind, and for more than one instance.
    """
    request = _Reader("", payload)
    algorithm = request.object("AlgorithmSpecification")
    resources = request.object("ResourceConfig")
    _check_instances(resources)
    name = request.text("TrainingJobName")
    if name and not _JOB_NAME.fullmatch(name):
        raise refusals.training_payload_invalid(
            "TrainingJobName", "must match [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62} and have at most 63 characters"
        )
    entry_point, arguments = algorithm.texts("ContainerEntrypoint"), algorithm.texts("ContainerArguments")
    check_command([*entry_point, *arguments])
    return TrainingRequest(
        training_job_name=name or job_name.replace("_", "-").strip("-"),
        image=algorithm.text("TrainingImage") or algorithm.text("AlgorithmName"),
        entry_point=entry_point,
        arguments=arguments,
        environment=request.variables("Environment"),
        hyper_parameters=request.variables("HyperParameters"),
        channels=_channels(request, algorithm.text("TrainingInputMode") or "File"),
        instance_type=resources.text("InstanceType") or "local",
        output_uri=request.object("OutputDataConfig").text("S3OutputPath"),
        checkpoint_uri=request.object("CheckpointConfig").text("S3Uri"),
        max_runtime_seconds=request.object("StoppingCondition").number("MaxRuntimeInSeconds"),
    )


def _check_instances(resources: "_Reader") -> None:
    groups = sum(group.number("InstanceCount") or 1 for group in resources.objects("InstanceGroups"))
    count = resources.number("InstanceCount") or groups or 1
    if count > 1:
        raise refusals.training_instances_not_available(count)


def _channels(request: "_Reader", input_mode: str) -> tuple[Channel, ...]:
    found: dict[str, Channel] = {}
    for entry in request.objects("InputDataConfig"):
        name = entry.text("ChannelName")
        if not _CHANNEL_NAME.fullmatch(name) or name in (".", "..") or name in found:
            raise refusals.training_payload_invalid(
                entry.place("ChannelName"), "must be a name of letters, digits, '.', '-' and '_', each once"
            )
        source = entry.object("DataSource").object("S3DataSource")
        config = {
            "TrainingInputMode": entry.text("InputMode") or input_mode,
            "S3DistributionType": source.text("S3DataDistributionType") or "FullyReplicated",
            "RecordWrapperType": entry.text("RecordWrapperType") or "None",
        }
        if content_type := entry.text("ContentType"):
            config["ContentType"] = content_type
        found[name] = Channel(name, source.text("S3Uri"), config)
    return tuple(found.values())


class _Reader:
    """Reads the members of an object of the payload by kind; `null` is as good as nothing. Raises Refusal."""

    def __init__(self, path: str, value: Any) -> None:
        self._path = path
        if not isinstance(value, Mapping):
            raise refusals.training_payload_invalid(path or "the payload", "must be an object")
        self._members = value

    def place(self, member: str) -> str:
        """The path of a member, for a refusal."""
        return f"{self._path}.{member}" if self._path else member

    def text(self, member: str) -> str:
        value = self._get(member, str, "a string")
        return "" if value is None else str(value)

    def number(self, member: str) -> int | None:
        """A whole number of at least 1."""
        value = self._get(member, int, "an integer")
        if value is not None and (isinstance(value, bool) or value < 1):
            raise refusals.training_payload_invalid(self.place(member), "must be an integer of at least 1")
        return value

    def object(self, member: str) -> "_Reader":
        value = self._get(member, Mapping, "an object")
        return _Reader(self.place(member), {} if value is None else value)

    def objects(self, member: str) -> "list[_Reader]":
        values = self._get(member, list, "a list") or []
        return [_Reader(f"{self.place(member)}[{index}]", value) for index, value in enumerate(values)]

    def texts(self, member: str) -> tuple[str, ...]:
        values: Sequence[Any] = self._get(member, list, "a list") or []
        if not all(isinstance(value, str) for value in values):
            raise refusals.training_payload_invalid(self.place(member), "must be a list of strings")
        return tuple(values)

    def variables(self, member: str) -> dict[str, str]:
        """A map of strings that can stand in a process's environment."""
        found = dict(self._get(member, Mapping, "a map of strings") or {})
        for name, value in found.items():
            if not isinstance(value, str) or not name or "=" in name or "\0" in name + value:
                raise refusals.training_payload_invalid(
                    self.place(member), "must be a map of strings without '=' in names and without NUL characters"
                )
        return found

    def _get(self, member: str, kind: Any, described: str) -> Any:
        value = self._members.get(member)
        if value is not None and not isinstance(value, kind):
            raise refusals.training_payload_invalid(self.place(member), f"must be {described}")
        return value
