"""The five steps of a word count as map and reduce; examples/map_reduce.py submits each as a job.

    python3 word_count.py split FOLDER SHARDS      cut the texts into shards of about equal size
    python3 word_count.py map FOLDER               count the words of one shard
    python3 word_count.py shuffle FOLDER           sort one shard's counts into buckets by first letter
    python3 word_count.py merge FOLDER             add up one bucket, and append it to the dictionary
    python3 word_count.py reduce FOLDER            read the dictionary and say what it holds

Only the standard library, and the variables that AWS Batch gives to every job. The steps meet in FOLDER, as they would
in a bucket of S3. Each writes a file beside its place and renames it, so that a second attempt finds nothing half done.
"""

import json
import os
import re
import sys
import sysconfig
from collections import Counter
from pathlib import Path

WORD = re.compile(r"[a-z]{4,}")
BUCKETS = ("abcd", "efghijkl", "mnopqr", "stuvwxyz")
FLAKY_SHARD = 3
TEMPORARY_FAILURE = 75
"""The exit code of a failure that may pass, `EX_TEMPFAIL` of sysexits.h; the retry strategy of `map` knows it."""


def texts() -> list[Path]:
    """Real text that every machine with this project has: Python's own sources, and what licences it has."""
    project = Path(__file__).resolve().parent.parent
    licences = Path("/usr/share/common-licenses")
    found = [project / "LICENSE", *licences.glob("*"), *Path(sysconfig.get_path("stdlib")).glob("*.py")]
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def count_words(text: str) -> Counter[str]:
    """How often each word of four letters or more occurs."""
    return Counter(WORD.findall(text.lower()))


def split(folder: Path, shards: int) -> None:
    """Deal the texts out, the largest first, always to the shard that has the least."""
    shares: list[list[Path]] = [[] for _ in range(shards)]
    sizes = [0] * shards
    for path in sorted(texts(), key=lambda path: path.stat().st_size, reverse=True):
        least = sizes.index(min(sizes))
        shares[least].append(path)
        sizes[least] += path.stat().st_size
    for index, share in enumerate(shares):
        save(folder / f"shard-{index}.txt", "\n".join(path.read_text("utf-8", "replace") for path in share))
        print(f"shard {index}: {len(share)} texts, {sizes[index]:,} bytes")


def map_shard(folder: Path) -> None:
    """Count one shard. One child fails in its first attempt, as a node with a bad disk would."""
    index = array_index()
    attempt = int(os.environ["AWS_BATCH_JOB_ATTEMPT"])
    print(f"counting shard {index}, attempt {attempt}", flush=True)
    if index == FLAKY_SHARD and attempt == 1:
        print("a pretended input/output error: giving up, another attempt may do better")
        sys.exit(TEMPORARY_FAILURE)
    counts = count_words((folder / f"shard-{index}.txt").read_text("utf-8"))
    save(folder / f"counts-{index}.json", json.dumps(counts))
    print(f"{counts.total():,} words, {len(counts):,} different ones")


def shuffle(folder: Path) -> None:
    """Sort the counts of one shard into buckets."""
    index = array_index()
    counts = json.loads((folder / f"counts-{index}.json").read_text("utf-8"))
    for bucket, letters in enumerate(BUCKETS):
        chosen = {word: count for word, count in counts.items() if word[0] in letters}
        save(folder / f"bucket-{bucket}-of-{index}.json", json.dumps(chosen))
        print(f"bucket {bucket} ({letters[0]} to {letters[-1]}): {len(chosen):,} words")


def merge(folder: Path) -> None:
    """Append one bucket to the dictionary. Children run one after another, so it needs no lock and stays sorted."""
    bucket = array_index()
    counts: Counter[str] = Counter()
    for part in folder.glob(f"bucket-{bucket}-of-*.json"):
        counts.update(json.loads(part.read_text("utf-8")))
    dictionary = folder / "dictionary.tsv"
    before = dictionary.read_text("utf-8") if bucket else ""
    save(dictionary, before + "".join(f"{word}\t{counts[word]}\n" for word in sorted(counts)))
    print(f"the dictionary now has {before.count(chr(10)) + len(counts):,} words")


def reduce(folder: Path) -> None:
    """Read the dictionary, which must be in order, and write the answer."""
    lines = [line.split("\t") for line in (folder / "dictionary.tsv").read_text("utf-8").splitlines()]
    assert [word for word, _ in lines] == sorted(word for word, _ in lines)
    counts = Counter({word: int(count) for word, count in lines})
    save(folder / "answer.json", json.dumps(counts))
    print(f"{counts.total():,} words, {len(counts):,} different ones")


def array_index() -> int:
    """Which child of its array this job is."""
    return int(os.environ["AWS_BATCH_JOB_ARRAY_INDEX"])


def save(path: Path, text: str) -> None:
    """Write the whole file, or nothing."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(text, "utf-8")
    fresh.rename(path)


def main() -> None:
    """Do the step that the arguments name."""
    step, folder, *rest = sys.argv[1:]
    match step:
        case "split":
            split(Path(folder), int(rest[0]))
        case "map":
            map_shard(Path(folder))
        case "shuffle":
            shuffle(Path(folder))
        case "merge":
            merge(Path(folder))
        case "reduce":
            reduce(Path(folder))
        case _:
            sys.exit(f"There is no step {step!r}.")


if __name__ == "__main__":
    main()
