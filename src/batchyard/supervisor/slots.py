"""What is free on this machine: attempts hold vCPUs, memory and GPUs from their start to their end, never too much.

Counted in thousandths of a vCPU, so that adding and subtracting fractions never drifts.
"""

from collections import Counter
from dataclasses import dataclass

from batchyard.executors.interface import Capacity, Launch


@dataclass(frozen=True, slots=True)
class Holding:
    """What one attempt holds; `gpus` are the numbers of its GPUs."""

    compute_environment: str
    millicpus: int
    memory_mib: int
    gpus: tuple[int, ...]


class Slots:
    """The account of one machine. Until `configure` nothing is free."""

    def __init__(self) -> None:
        self._capacity = Capacity(0, 0)
        self._millicpus = 0
        self._memory_mib = 0
        self._gpus: set[int] = set()
        self._by_compute_environment: Counter[str] = Counter()

    def configure(self, capacity: Capacity) -> None:
        """What attempts may hold together from now on; what they hold already stays theirs."""
        self._capacity = capacity

    @property
    def has_gpus(self) -> bool:
        """Whether attempts without GPUs must be kept from those there are."""
        return self._capacity.gpus > 0

    def adopt(self, holding: Holding) -> None:
        """An attempt of before a restart holds this, whether it fits or not."""
        self._millicpus += holding.millicpus
        self._memory_mib += holding.memory_mib
        self._by_compute_environment[holding.compute_environment] += holding.millicpus
        self._gpus.update(holding.gpus)

    def take(self, launch: Launch) -> Holding | None:
        """What the attempt needs, if all of it is free; else None and nothing is taken."""
        millicpus = round(launch.vcpus * 1000)
        limit = self._capacity.compute_environment_vcpus.get(launch.compute_environment)
        if (
            self._millicpus + millicpus > round(self._capacity.vcpus * 1000)
            or self._memory_mib + launch.memory_mib > self._capacity.memory_mib
            or (
                limit is not None
                and self._by_compute_environment[launch.compute_environment] + millicpus > round(limit * 1000)
            )
        ):
            return None
        free = [number for number in range(self._capacity.gpus) if number not in self._gpus] if launch.gpus else []
        if len(free) < launch.gpus:
            return None
        holding = Holding(launch.compute_environment, millicpus, launch.memory_mib, tuple(free[: launch.gpus]))
        self.adopt(holding)
        return holding

    def give_back(self, holding: Holding) -> None:
        """The attempt that held this is gone."""
        self._millicpus -= holding.millicpus
        self._memory_mib -= holding.memory_mib
        self._by_compute_environment[holding.compute_environment] -= holding.millicpus
        self._gpus.difference_update(holding.gpus)
