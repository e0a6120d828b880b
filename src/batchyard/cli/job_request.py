"""From what `submit` and `run` were told to a SubmitJob request, and the definition that it needs."""

import hashlib
import json
import os
import re
from pathlib import PurePath
from typing import Any

from batchyard.cli.connection import Connection
from batchyard.cli.jobs import job_id_of
from batchyard.cli.problem import CommandProblem
from batchyard.cli.wish import Wish
from batchyard.core.batchyard_tags import AFTER, MAX_PARALLEL, After

DEFAULT_IMAGE = "public.ecr.aws/docker/library/python:3.13-slim"
DEFAULT_VCPUS = "1"
DEFAULT_MEMORY_MIB = "512"
_DEPENDENCY_TYPES = ("N_TO_N", "SEQUENTIAL")


def submit_request(connection: Connection, wish: Wish) -> dict[str, Any]:
    """The SubmitJob request; a definition is found or registered if none is named. Raises CommandProblem."""
    _check(connection, wish)
    overrides = {
        "command": list(wish.command),
        "environment": [_variable(text) for text in wish.environment],
        "resourceRequirements": _requirements(wish.vcpus, wish.memory_mib) if wish.definition else [],
    }
    members = {
        "jobName": wish.name or _name(wish),
        "jobQueue": wish.queue,
        "jobDefinition": wish.definition or _definition_for(connection, wish),
        "containerOverrides": {name: value for name, value in overrides.items() if value},
        "dependsOn": _dependencies(connection, wish),
        "arrayProperties": None if wish.array_size is None else {"size": wish.array_size},
        "retryStrategy": None if wish.attempts is None else {"attempts": wish.attempts},
        "tags": _tags(wish),
        "timeout": None if wish.timeout_seconds is None else {"attemptDurationSeconds": wish.timeout_seconds},
    }
    return {name: value for name, value in members.items() if value}


def _check(connection: Connection, wish: Wish) -> None:
    if not wish.command and not wish.definition:
        raise CommandProblem("There is nothing to run: give a command after --, or a --definition.")
    if wish.definition and wish.image:
        raise CommandProblem("SubmitJob cannot change a definition's image: give --image or --definition, not both.")
    if (wish.is_sequential or wish.n_to_n) and wish.array_size is None:
        raise CommandProblem("--sequential and --n-to-n are for arrays: give --array too.")
    if _tags(wish) and connection.is_aws:
        raise CommandProblem("AWS Batch knows neither --max-parallel nor --after; a Batchyard does.")


def _tags(wish: Wish) -> dict[str, str]:
    """What AWS Batch has no member for."""
    tags = {} if wish.max_parallel is None else {MAX_PARALLEL: str(wish.max_parallel)}
    return tags if wish.after is After.SUCCESS else tags | {AFTER: wish.after.value}


def _variable(text: str) -> dict[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        if name not in os.environ:
            raise CommandProblem(f"--env {name}: there is no such variable here; write --env {name}=VALUE.")
        value = os.environ[name]
    return {"name": name, "value": value}


def _requirements(vcpus: str | None, memory_mib: str | None) -> list[dict[str, str]]:
    amounts = (("VCPU", vcpus), ("MEMORY", memory_mib))
    return [{"type": kind, "value": value} for kind, value in amounts if value is not None]


def _name(wish: Wish) -> str:
    """Derived from the definition or the program, in the characters that names of jobs may have."""
    if wish.definition:
        return _slug(wish.definition.rpartition("/")[2].partition(":")[0])
    return _slug(PurePath(wish.command[0]).name)


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-_")[:100] or "job"


def _dependencies(connection: Connection, wish: Wish) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = []
    for text in wish.depends_on:
        reference, _, kind = text.rpartition(":")
        typed = kind in _DEPENDENCY_TYPES
        entry = {"jobId": job_id_of(connection, wish.queue, reference if typed else text)}
        entries.append(entry | ({"type": kind} if typed else {}))
    entries += [{"jobId": job_id_of(connection, wish.queue, text), "type": "N_TO_N"} for text in wish.n_to_n]
    return [*entries, {"type": "SEQUENTIAL"}] if wish.is_sequential else entries


# ----------------------------------------------------------------------------------------------------------- definition


def _definition_for(connection: Connection, wish: Wish) -> str:
    """The ARN of a definition for this program, image and size.

    Its name is made of the program's and a hash of the properties, so that the same wish finds the revision that an
    earlier one registered. The command itself stays out: it changes with every job.
    """
    properties = {
        "image": wish.image or DEFAULT_IMAGE,
        "resourceRequirements": _requirements(wish.vcpus or DEFAULT_VCPUS, wish.memory_mib or DEFAULT_MEMORY_MIB),
    }
    digest = hashlib.sha256(json.dumps(properties, sort_keys=True).encode()).hexdigest()[:8]
    name = f"{_slug(PurePath(wish.command[0]).name)}-{digest}"
    paginator = connection.batch.get_paginator("describe_job_definitions")
    for page in paginator.paginate(jobDefinitionName=name, status="ACTIVE"):
        for found in page["jobDefinitions"]:
            if _has(found.get("containerProperties", {}), properties):
                return str(found["jobDefinitionArn"])
    registered = connection.batch.register_job_definition(
        jobDefinitionName=name, type="container", containerProperties=properties
    )
    return str(registered["jobDefinitionArn"])


def _has(container: dict[str, Any], properties: dict[str, Any]) -> bool:
    """Whether a definition of that name is the one we registered and not somebody's later revision."""
    has_requirements = {(r["type"], r["value"]) for r in container.get("resourceRequirements", [])}
    wanted = {(r["type"], r["value"]) for r in properties["resourceRequirements"]}
    return container.get("image") == properties["image"] and not container.get("command") and has_requirements == wanted
