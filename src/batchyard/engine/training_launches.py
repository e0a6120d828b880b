"""The order that runs a training job: SageMaker's folders and files, the training toolkit's variables, the command.

A training job finds under one folder what it would find under `/opt/ml` in SageMaker's container (SageMaker AI
Developer Guide, How Amazon SageMaker AI provides training information). `SAGEMAKER_BASE_DIR`, the training toolkit's
own variable, names that folder, and so do the `SM_...` variables that the toolkit makes.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from batchyard.core.jobs import Attempt, Terms
from batchyard.core.training import HOST, TrainingRequest, TrainingSite, training_job_name
from batchyard.executors.interface import Container, Launch, Workspace

_FOLDERS = ("input/config", "input/data", "model", "output/data")
_INTERFACE = "lo"


def training_launch_of(attempt: Attempt, terms: Terms, training: TrainingRequest, site: TrainingSite) -> Launch:
    """The order that starts this attempt of a training job."""
    name = training_job_name(training.training_job_name, attempt.attempt_id)
    workspace = _workspace(name, terms, training, site)
    given = {"AWS_REGION": terms.region, "AWS_DEFAULT_REGION": terms.region, **training.environment}
    ours = {
        "AWS_BATCH_JOB_ID": terms.job_id,
        "AWS_BATCH_JOB_ATTEMPT": str(attempt.attempt),
        "AWS_BATCH_JQ_NAME": terms.queue,
        "TRAINING_JOB_NAME": name,
        "TRAINING_JOB_ARN": site.arn(terms.region, name),
        **_toolkit_variables(attempt, training, workspace),
    }
    (container,) = terms.resolved.containers
    return Launch(
        attempt_id=attempt.attempt_id,
        job_id=terms.job_id,
        compute_environment=attempt.compute_environment,
        vcpus=attempt.vcpus,
        memory_mib=attempt.memory_mib,
        gpus=attempt.gpus,
        containers=(
            Container(
                name=container.name,
                image=container.image,
                command=_command(training, site),
                environment=given | ours,
                vcpus=attempt.vcpus,
                memory_mib=attempt.memory_mib,
                gpus=attempt.gpus,
            ),
        ),
        workspace=workspace,
    )


def _workspace(name: str, terms: Terms, training: TrainingRequest, site: TrainingSite) -> Workspace:
    """The folder of the attempt: where the output path leads, if it leads anywhere here."""
    local = ((channel, site.local(channel.uri)) for channel in training.channels)
    channels = [(channel, path) for channel, path in local if path is not None]
    configs = {channel.name: channel.config for channel, _ in channels}
    checkpoints = site.local(training.checkpoint_uri) or f"{site.folder}/checkpoints/{terms.job_id}"
    return Workspace(
        path=f"{site.local(training.output_uri) or site.folder}/{name}",
        folders=_FOLDERS,
        files={
            "input/config/hyperparameters.json": json.dumps(dict(training.hyper_parameters)),
            "input/config/inputdataconfig.json": json.dumps(configs),
            "input/config/resourceconfig.json": json.dumps(_resource_config(training)),
        },
        links={f"input/data/{channel.name}": path for channel, path in channels},
        shared={"checkpoints": checkpoints},
        failure="output/failure",
    )


def _resource_config(training: TrainingRequest) -> dict[str, Any]:
    group = {"instance_group_name": "homogeneousCluster", "instance_type": training.instance_type, "hosts": [HOST]}
    return {
        "current_host": HOST,
        "current_instance_type": training.instance_type,
        "current_group_name": group["instance_group_name"],
        "hosts": [HOST],
        "instance_groups": [group],
        "network_interface_name": _INTERFACE,
    }


def _command(training: TrainingRequest, site: TrainingSite) -> tuple[str, ...]:
    if training.entry_point:
        return (*training.entry_point, *training.arguments)
    program = training.reserved_parameter("program")
    if not program:
        return ("train", *training.arguments)
    folder = site.local(training.reserved_parameter("submit_directory"))
    path = program if folder is None else f"{folder}/{program}"
    arguments = (*_user_arguments(training), *training.arguments)
    if program.endswith(".py"):
        return ("python3", path, *arguments)
    return ("sh", path, *arguments) if program.endswith(".sh") else (path, *arguments)


def _user_arguments(training: TrainingRequest) -> list[str]:
    """`--name value` of each hyperparameter, by name; `-n value` where the name is one letter."""
    pairs = sorted(training.own_parameters().items())
    return [text for name, value in pairs for text in (f"{'-' if len(name) == 1 else '--'}{name}", str(value))]


def _toolkit_variables(attempt: Attempt, training: TrainingRequest, workspace: Workspace) -> dict[str, str]:
    base, parameters = workspace.path, training.own_parameters()
    channels = sorted(link.rpartition("/")[2] for link in workspace.links)
    return {
        **{f"SM_HP_{name.upper()}": str(value) for name, value in parameters.items()},
        **{f"SM_CHANNEL_{name.upper()}": f"{base}/input/data/{name}" for name in channels},
        "SAGEMAKER_BASE_DIR": base,
        "SM_INPUT_DIR": f"{base}/input",
        "SM_INPUT_CONFIG_DIR": f"{base}/input/config",
        "SM_MODEL_DIR": f"{base}/model",
        "SM_OUTPUT_DIR": f"{base}/output",
        "SM_OUTPUT_DATA_DIR": f"{base}/output/data",
        "SM_CHANNELS": _dump(channels),
        "SM_HPS": _dump(parameters),
        "SM_USER_ARGS": _dump(_user_arguments(training)),
        "SM_HOSTS": _dump([HOST]),
        "SM_CURRENT_HOST": HOST,
        "SM_CURRENT_INSTANCE_TYPE": training.instance_type,
        "SM_NETWORK_INTERFACE_NAME": _INTERFACE,
        "SM_NUM_CPUS": str(max(1, round(attempt.vcpus))),
        "SM_NUM_GPUS": str(attempt.gpus),
    }


def _dump(value: Mapping[str, Any] | Iterable[Any]) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
