"""nodeProperties: the ranges of a multi-node parallel job (F 8.7; User Guide, Multi-node parallel jobs)."""

import re
from collections.abc import Mapping
from typing import Any

from batchyard.core import quotas, refusals
from batchyard.core.container_properties import container_properties
from batchyard.core.ecs_properties import ecs_properties
from batchyard.core.eks_properties import eks_properties

_TARGET_NODES = re.compile(r"(?P<first>[0-9]{0,6})(?P<colon>:?)(?P<last>[0-9]{0,6})")


def node_properties(given: Mapping[str, Any]) -> dict[str, Any]:
    """nodeProperties, checked and with what AWS fills in. Raises Refusal."""
    nodes, main_node = given["numNodes"], given["mainNode"]
    ranges = given.get("nodeRangeProperties") or ()
    if not 1 <= nodes <= quotas.NODES:
        raise refusals.number_of_nodes()
    if not 0 <= main_node < nodes:
        raise refusals.main_node_out_of_range()
    if len(ranges) > quotas.NODE_RANGES:
        raise refusals.too_many_node_ranges()
    covered: set[int] = set()
    for node_range in ranges:
        covered.update(target_nodes(node_range["targetNodes"], nodes))
    if len(covered) < nodes:
        raise refusals.nodes_not_covered()
    return {"numNodes": nodes, "mainNode": main_node, "nodeRangeProperties": [_range(each) for each in ranges]}


def target_nodes(target: str, nodes: int) -> range:
    """The node indexes of `0:3`, `:3`, `4:` or `2` in a job of `nodes` nodes. Raises Refusal."""
    match = _TARGET_NODES.fullmatch(target)
    if match is None or not target:
        raise refusals.target_nodes_not_digits()
    first = int(match["first"] or 0)
    last = first if not match["colon"] else int(match["last"] or nodes - 1)
    if first > last or last >= nodes:
        raise refusals.target_nodes_out_of_range(target)
    return range(first, last + 1)


def _range(node_range: Mapping[str, Any]) -> dict[str, Any]:
    blocks = [member for member in ("container", "ecsProperties", "eksProperties") if node_range.get(member)]
    if not blocks:
        raise refusals.node_range_without_container(node_range["targetNodes"])
    if len(blocks) > 1:
        raise refusals.node_range_with_two_blocks()
    if node_range.get("instanceTypes") and blocks != ["ecsProperties"]:
        raise refusals.node_instance_types_without_ecs()
    echoed = dict(node_range)
    match blocks[0]:
        case "container":
            echoed["container"] = container_properties(node_range["container"], fargate=False)
        case "ecsProperties":
            echoed["ecsProperties"] = ecs_properties(node_range["ecsProperties"], fargate=False)
        case _:
            echoed["eksProperties"] = eks_properties(node_range["eksProperties"])
    return echoed
