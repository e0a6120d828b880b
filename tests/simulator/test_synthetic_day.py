"""The made day is the same for the same seed, and looks like a day."""

from collections import Counter
from statistics import mean, median

from batchyard.simulator.swf import written
from batchyard.simulator.synthetic_day import synthetic_day
from tests.docs.repository import ROOT


def test_the_same_seed_makes_the_same_day() -> None:
    assert synthetic_day(500, 7) == synthetic_day(500, 7)
    assert synthetic_day(500, 7).jobs != synthetic_day(500, 8).jobs


def test_it_is_busy_by_day_uneven_among_users_and_heavy_in_the_tail() -> None:
    jobs = synthetic_day(5000, 2, processors=64, load=0.9).jobs
    hours = Counter(job.submitted_at // 3_600_000 for job in jobs)
    assert sum(hours[hour] for hour in range(8, 18)) > 4 * sum(hours[hour] for hour in (0, 1, 2, 3, 4, 20, 21, 22, 23))
    users = Counter(job.user for job in jobs).most_common()
    assert users[0][1] > 3 * users[-1][1]
    times = [job.run_millis / 1000 for job in jobs]
    assert mean(times) > 1.3 * median(times)
    assert abs(sum(j.processors * j.run_millis for j in jobs) / (64 * 86_400_000) - 0.9) < 0.01


def test_the_shipped_day_is_the_one_that_its_note_says() -> None:
    shipped = (ROOT / "examples" / "scheduling" / "day.swf").read_text()
    note = "Note: batchyard simulate --jobs 4000 --seed 1 --vcpus 64"
    assert shipped == "".join(written(synthetic_day(4000, 1, 64), [note]))
    assert len(shipped) < 300_000
