"""The nodes of a multi-node parallel job: which containers each runs, after overrides (F 6.3, 8.7).

All nodes are containers of one attempt: they are placed together or not at all, the main node starts first and its end
ends the job, and each retry runs all of them anew.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from batchyard.core import quotas, refusals
from batchyard.core.job_definitions import consumable_resource_properties
from batchyard.core.resolved_tasks import (
    MAIN_NODE,
    ResolvedContainer,
    ResolvedTask,
    resolve_container_properties,
    resolve_ecs_properties,
    resolve_eks_properties,
)
from batchyard.core.resource_requirements import Resources
from batchyard.core.resources import Document
from batchyard.core.tasks import START

_Resolve = Callable[..., ResolvedTask]
_BLOCKS: Mapping[str, tuple[str, _Resolve]] = {
    "container": ("containerOverrides", resolve_container_properties),
    "ecsProperties": ("ecsPropertiesOverride", resolve_ecs_properties),
    "eksProperties": ("eksPropertiesOverride", resolve_eks_properties),
}


def resolve_node_properties(
    properties: Document, override: Mapping[str, Any], parameters: Mapping[str, str]
) -> ResolvedTask:
    """nodeProperties with nodeOverrides. The names of the containers are unique in the whole job. Raises Refusal."""
    nodes = _number_of_nodes(properties, override)
    ranges = properties["nodeRangeProperties"]
    overrides = _overrides(ranges, override.get("nodePropertyOverrides") or ())
    echoes, tasks = [], []
    for node_range in ranges:
        given = overrides.get(node_range["targetNodes"], {})
        block = next(member for member in _BLOCKS if member in node_range)
        member, resolve = _BLOCKS[block]
        _check_family(given, member, block)
        task = resolve(node_range[block], given.get(member) or {}, parameters, fargate=False)
        echo = {**node_range, block: task.echo}
        for name in ("instanceTypes", "consumableResourceProperties"):
            if key := given.get("consumableResourcePropertiesOverride" if name != "instanceTypes" else name):
                echo[name] = key
        echoes.append(echo)
        tasks.append(task)
    main, of_node = properties["mainNode"], ranges_of_nodes(ranges, nodes)
    containers, total = _containers(tasks, of_node, main)
    echo = {"numNodes": nodes, "mainNode": main, "nodeRangeProperties": echoes}
    return ResolvedTask(echo, containers, total)


def node_consumables(echo: Document) -> Document | None:
    """What all nodes together need of consumable resources, of nodeProperties as resolved; None if nothing."""
    of_node = ranges_of_nodes(echo["nodeRangeProperties"], echo["numNodes"])
    needed: Counter[str] = Counter()
    for number, node_range in zip(
        (of_node.count(position) for position in range(len(echo["nodeRangeProperties"]))),
        echo["nodeRangeProperties"],
        strict=True,
    ):
        given = consumable_resource_properties(node_range.get("consumableResourceProperties") or {})
        for each in given.get("consumableResourceList") or ():
            needed[each["consumableResource"]] += each.get("quantity", 0) * number
    if not needed:
        return None
    listed = [{"consumableResource": name, "quantity": quantity} for name, quantity in needed.items()]
    return {"consumableResourceList": listed}


def _containers(
    tasks: Sequence[ResolvedTask], of_node: Sequence[int], main: int
) -> tuple[tuple[ResolvedContainer, ...], Resources]:
    """Each range's containers with the nodes that have them; all but the main node wait for the main node's start."""
    found: list[ResolvedContainer] = []
    total = Resources(0.0, 0, 0)
    anchor = f"{MAIN_NODE}{tasks[of_node[main]].containers[0].name}"
    for position, task in enumerate(tasks):
        nodes = tuple(node for node, chosen in enumerate(of_node) if chosen == position)
        others = tuple(node for node in nodes if node != main)
        for container in task.containers:
            if main in nodes:
                found.append(_of_nodes(container, MAIN_NODE, (main,), None))
            if others:
                found.append(_of_nodes(container, f"range-{position}:", others, anchor))
        total = Resources(
            total.vcpus + task.resources.vcpus * len(nodes),
            total.memory_mib + task.resources.memory_mib * len(nodes),
            total.gpus + task.resources.gpus * len(nodes),
        )
    return tuple(found), total


def _of_nodes(
    container: ResolvedContainer, prefix: str, nodes: tuple[int, ...], anchor: str | None
) -> ResolvedContainer:
    waits = tuple((f"{prefix}{name}", condition) for name, condition in container.depends_on)
    waits += () if anchor is None or waits else ((anchor, START),)
    return replace(container, name=f"{prefix}{container.name}", depends_on=waits, nodes=nodes)


def _number_of_nodes(properties: Document, override: Mapping[str, Any]) -> int:
    """numNodes, or what nodeOverrides says instead: then an open range must take up the difference."""
    nodes = override.get("numNodes")
    if nodes is None:
        return int(properties["numNodes"])
    if not 1 <= nodes <= quotas.NODES:
        raise refusals.number_of_nodes()
    if properties["mainNode"] >= nodes:
        raise refusals.main_node_out_of_range()
    targets = [node_range["targetNodes"] for node_range in properties["nodeRangeProperties"]]
    if not any(target.endswith(":") and int(target[:-1] or 0) < nodes for target in targets):
        raise refusals.nodes_not_open_ended()
    return int(nodes)


def _overrides(
    ranges: Sequence[Mapping[str, Any]], overrides: Sequence[Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    known = {node_range["targetNodes"] for node_range in ranges}
    found: dict[str, Mapping[str, Any]] = {}
    for override in overrides:
        if override["targetNodes"] not in known:
            raise refusals.node_override_range_unknown(override["targetNodes"])
        found[override["targetNodes"]] = override
    return found


def _check_family(given: Mapping[str, Any], member: str, block: str) -> None:
    for other, _ in _BLOCKS.values():
        if other != member and given.get(other):
            raise refusals.override_not_applicable(other, block)


def ranges_of_nodes(ranges: Sequence[Mapping[str, Any]], nodes: int) -> list[int]:
    """The position of the range that each node belongs to: of those that name it the smallest, of equals the last.

    Raises Refusal if there is a node that none names.
    """
    found: list[tuple[int, int]] = [(nodes + 1, -1)] * nodes
    for position, node_range in enumerate(ranges):
        targets = _targets(node_range["targetNodes"], nodes)
        for node in targets:
            if len(targets) <= found[node][0]:
                found[node] = (len(targets), position)
    if any(position < 0 for _, position in found):
        raise refusals.nodes_not_covered()
    return [position for _, position in found]


def _targets(target: str, nodes: int) -> range:
    """The nodes of `0:3`, `:3`, `4:` or `2`, without those beyond a number that an override has made smaller."""
    first, colon, last = target.partition(":")
    low = int(first or 0)
    high = low if not colon else int(last) if last else nodes - 1
    return range(low, min(high, nodes - 1) + 1)


def node_address(attempt_id: str, node: int) -> str:
    """The address of a node: one of the machine's own (127.0.0.0/8), which no other node of the job has."""
    chosen = int(attempt_id[:8], 16)
    return f"127.{1 + chosen % 254}.{1 + (chosen // 254 + node // 254) % 254}.{1 + node % 254}"
