"""How many vCPUs, MiB and GPUs a container asks for (F 6.4, 7.4; API Reference, ResourceRequirement).

A container says it once per kind: with `resourceRequirements` (values are strings), or with the legacy integers
`vcpus` and `memory`, which Fargate never knew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from batchyard.core import refusals

SMALLEST_MEMORY_MIB = 4
_LEGACY = {"VCPU": "vcpus", "MEMORY": "memory"}

_FARGATE_MEMORY_MIB: Mapping[float, Iterable[int]] = {
    0.25: (512, 1024, 2048),
    0.5: range(1024, 4096 + 1, 1024),
    1: range(2048, 8192 + 1, 1024),
    2: range(4096, 16384 + 1, 1024),
    4: range(8192, 30720 + 1, 1024),
    8: range(16384, 61440 + 1, 4096),
    16: range(32768, 122880 + 1, 8192),
    32: (61440, 122880, 249856),
}


@dataclass(frozen=True, slots=True)
class Resources:
    """What one container reserves. `vcpus` is a whole number except on Fargate and EKS."""

    vcpus: float
    memory_mib: int
    gpus: int = 0


def required_resources(container: Mapping[str, Any], *, fargate: bool) -> Resources:
    """The resources of containerProperties (or of a task's container) for one platform.

    Raises Refusal for a kind missing, given twice, not a number, or outside what the platform offers.
    """
    given = _by_type(container.get("resourceRequirements") or ())
    for kind, member in _LEGACY.items():
        if (value := container.get(member)) is not None:
            if fargate:
                raise refusals.legacy_resources_on_fargate()
            if kind in given:
                raise refusals.resource_given_twice(member, kind)
            given[kind] = value
    if fargate:
        return _fargate(given)
    return Resources(_whole_vcpus(given.get("VCPU")), _memory_mib(given.get("MEMORY")), _gpus(given.get("GPU")))


def _by_type(requirements: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for requirement in requirements:
        if requirement["type"] in given:
            raise refusals.duplicate_resource_requirements()
        given[requirement["type"]] = requirement["value"]
    return given


def _whole_vcpus(value: str | int | None) -> float:
    if value is None:
        raise refusals.vcpu_missing()
    vcpus = _number(value, "VCPU")
    if vcpus < 1 or vcpus != int(vcpus):
        raise refusals.vcpu_too_small(value)
    return vcpus


def _memory_mib(value: str | int | None) -> int:
    if value is None:
        raise refusals.memory_missing()
    memory = _whole_number(value, "MEMORY")
    if memory < SMALLEST_MEMORY_MIB:
        raise refusals.memory_too_small(value)
    return memory


def _gpus(value: str | None) -> int:
    return 0 if value is None else _whole_number(value, "GPU")


def _fargate(given: Mapping[str, Any]) -> Resources:
    if "GPU" in given:
        raise refusals.gpu_on_fargate()
    if "VCPU" not in given:
        raise refusals.vcpu_missing()
    vcpus, memory = _number(given["VCPU"], "VCPU"), _memory_mib(given.get("MEMORY"))
    if memory not in _FARGATE_MEMORY_MIB.get(vcpus, ()):
        raise refusals.fargate_resources_invalid(given["VCPU"], given["MEMORY"])
    return Resources(vcpus, memory)


def _number(value: str | int, kind: str) -> float:
    # Nothing but digits with one point inside: float() alone would take "1e3", "nan" and " 1 ".
    text = str(value)
    if len(text) > 15 or not text.isascii() or not text.replace(".", "", 1).lstrip("-").isdigit():
        raise refusals.resource_value_not_numeric(text, kind)
    try:
        return float(text)
    except ValueError:
        raise refusals.resource_value_not_numeric(text, kind) from None


def _whole_number(value: str | int, kind: str) -> int:
    number = _number(value, kind)
    if number != int(number) or number < 0:
        raise refusals.resource_value_not_numeric(str(value), kind)
    return int(number)
