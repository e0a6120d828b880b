"""eksProperties: one pod (F 7.7; User Guide, Amazon EKS jobs).

AWS echoes what was given; the defaults of Kubernetes (dnsPolicy, imagePullPolicy) apply where the pod runs. A container
without a name is called Default.
"""

import re
from collections.abc import Mapping
from typing import Any

from batchyard.core import quotas, refusals
from batchyard.core.container_properties import check_command, check_environment
from batchyard.core.resource_requirements import SMALLEST_MEMORY_MIB, Resources

_GPU = "nvidia.com/gpu"
_RESOURCES = ("cpu", "memory", _GPU)
_CPU = re.compile(r"[0-9]{1,6}(\.[0-9]{1,4})?")
_MEMORY = re.compile(r"([0-9]{1,12})Mi")
_GPUS = re.compile(r"[0-9]{1,9}")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MILLICORES_STEP = 250


def eks_properties(given: Mapping[str, Any]) -> dict[str, Any]:
    """eksProperties, checked and with what AWS fills in. Raises Refusal."""
    pod = given.get("podProperties") or {}
    if not pod.get("containers"):
        raise refusals.eks_containers_missing()
    echoed = dict(pod)
    for member in ("containers", "initContainers"):
        containers = pod.get(member) or ()
        if len(containers) > quotas.EKS_CONTAINERS:
            raise refusals.too_many_eks_containers(member)
        if containers:
            echoed[member] = [_container(container) for container in containers]
    check_namespace(pod.get("metadata") or {})
    return {"podProperties": echoed}


def check_namespace(metadata: Mapping[str, Any]) -> None:
    """Refuses a namespace that Kubernetes or AWS Batch does not allow for jobs (F 2.1)."""
    if namespace := metadata.get("namespace"):
        reserved = namespace == "default" or namespace.startswith("kube")
        if reserved or not _NAMESPACE.fullmatch(namespace):
            raise refusals.eks_namespace_invalid(namespace)


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    if not container.get("image"):
        raise refusals.container_image_missing()
    check_command([*(container.get("command") or ()), *(container.get("args") or ())])
    check_environment(container.get("env") or ())
    _check_resources(container.get("resources") or {})
    return {"name": "Default", **container}


def eks_resources(container: Mapping[str, Any]) -> Resources:
    """What a pod's container reserves: its requests, or its limits where it has none. Raises Refusal if missing."""
    resources = container.get("resources") or {}
    given = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    _check_resources(resources)
    for name in ("cpu", "memory"):
        if name not in given:
            raise refusals.eks_resource_missing(name)
    return Resources(float(given["cpu"]), int(given["memory"].removesuffix("Mi")), int(given.get(_GPU, 0)))


def _check_resources(resources: Mapping[str, Any]) -> None:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for name, value in (*limits.items(), *requests.items()):
        _check_resource(name, value)
    if "cpu" in limits and "cpu" in requests and float(requests["cpu"]) > float(limits["cpu"]):
        raise refusals.eks_cpu_request_above_limit()
    for name in ("memory", _GPU):
        if name in limits and name in requests and limits[name] != requests[name]:
            raise refusals.eks_limit_must_equal_request(name)


def _check_resource(name: str, value: str) -> None:
    if name not in _RESOURCES:
        raise refusals.eks_resource_type(name)
    if name == "cpu":
        if not _CPU.fullmatch(value) or float(value) <= 0 or float(value) * 1000 % _MILLICORES_STEP:
            raise refusals.eks_cpu_invalid(value)
    elif name == "memory":
        match = _MEMORY.fullmatch(value)
        if match is None or int(match[1]) < SMALLEST_MEMORY_MIB:
            raise refusals.eks_memory_invalid(value)
    elif not _GPUS.fullmatch(value):
        raise refusals.resource_value_not_numeric(value, "GPU")
