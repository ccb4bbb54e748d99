"""The right child, out of how many: on labelled files beside Splink, class by class; then in PostgreSQL with 100,000 to
12,000,000 lifelike children, how long finding takes, what is found, and that nobody is taken for somebody else who is not
there. Databases of millions are kept in a folder (--keep), so that a later run measures without loading."""

import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv

import match_sets
from match_cluster import Cluster
from service import say

PEERS = ["splink==5.0.0", "duckdb==2.0.1", "pyarrow==26.0.1"]
HERE = os.path.dirname(os.path.abspath(__file__))


def arguments():
    words = argparse.ArgumentParser(prog="bench/run match", description=__doc__)
    words.add_argument("programs", help=argparse.SUPPRESS)
    words.add_argument("--children", type=int, default=12_000_000, help="how many children are searched (default: %(default)s)")
    words.add_argument("--trials", type=int, default=200_000, help="how many who are not there are asked for (default: %(default)s)")
    words.add_argument("--per-class", type=int, default=200, help="how many are asked for in each class (default: %(default)s)")
    words.add_argument("--keep", default=os.path.join(tempfile.gettempdir(), "contactpoint-match"), metavar="FOLDER",
                       help="where databases are kept (default: %(default)s)")
    words.add_argument("--sizes", help="other sizes to measure, with commas (default: each power of ten from 100000)")
    words.add_argument("--no-sets", action="store_true", help="leave out the labelled files")
    words.add_argument("--no-peers", action="store_true", help="leave out the other ways of retrieving")
    told = words.parse_args()
    if told.sizes is None:
        told.sizes = [10 ** n for n in range(5, 8) if 10 ** n < told.children]
    else:
        told.sizes = [int(size) for size in told.sizes.split(",") if size]
    return told


def peer():
    """A Python with Splink, in an environment of its own beside what cargo builds."""
    folder = os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "bench-venv")
    python = os.path.join(folder, "bin", "python")
    ready = os.path.join(folder, "ready")
    if not os.path.exists(ready) or open(ready).read() != " ".join(PEERS):
        say("installing Splink, for this measurement alone")
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PEERS], check=True, stdout=sys.stderr)
        with open(ready, "w") as mark:
            mark.write(" ".join(PEERS))
    return python


def last_line(words, **more):
    """The JSON of the last line that a program prints; its progress is told as it goes."""
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, **more)
    return json.loads(done.stdout.strip().splitlines()[-1])


def ours(programs, file):
    """By the code that the service runs, trained on the file's own records without their labels."""
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    told = last_line([f"{programs}/contactpoint", "match", "evaluate", file, "--train", "--json"], env=environment)
    return {"f1": told["bestF1"], "recall_at_zero_fp": told["recallAtZeroFalse"], "top1": told["top1"], "auto": told["auto"],
            "review": told["review"], "missed": told["missed"], "false_merges": told["falseMerges"],
            "examples": told["falseMergeExamples"], "per_class": told["classes"]}


def theirs(python, file):
    """Splink tells much of itself on its error output: only a failure is shown."""
    done = subprocess.run([python, os.path.join(HERE, "match_splink.py"), file], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.strip().splitlines()[-1])


def compare(options, folder):
    """Each labelled file, ours and Splink's."""
    python, sets = peer(), {}
    files = {name: os.path.join(folder, name + ".ndjson") for name in ("febrl1", "febrl2", "synthetic")}
    for name in ("febrl1", "febrl2"):
        match_sets.febrl(os.path.join(HERE, "data", name + ".csv"), files[name])
    match_sets.children(f"{options.programs}/population", files["synthetic"], 20_000, options.per_class)
    for name, file in files.items():
        say(f"{name}: ours")
        mine = ours(options.programs, file)
        say(f"{name}: Splink")
        sets[name] = {"ours": mine, "splink": theirs(python, file)}
    print(f"{'':<12}{'best F1':>18}{'recall at 0 false':>22}{'right one first':>20}")
    print(f"{'':<12}" + f"{'ours':>9}{'Splink':>9}" + f"{'ours':>13}{'Splink':>9}" + f"{'ours':>11}{'Splink':>9}")
    for name, told in sets.items():
        pairs = [(told["ours"][what], told["splink"][what]) for what in ("f1", "recall_at_zero_fp", "top1")]
        print(f"{name:<12}" + "".join(f"{a:>{width}.4f}{b:>9.4f}" for (a, b), width in zip(pairs, (9, 13, 11))))
    by_class(sets["synthetic"])
    return sets


def by_class(told):
    """What becomes of those who are there, and of those who are not, in each class."""
    print("\nsynthetic, of 100 who are there (the right one first with us, with Splink; then what we decide) and who are not")
    print(f"{'':<24}{'first':>6}{'Splink':>8}{'auto':>7}{'review':>8}{'missed':>8}{'wrong':>7}  |{'review':>8}{'wrong':>7}")
    for name, counts in told["ours"]["per_class"].items():
        there, absent = counts.get("present") or {}, counts.get("absent") or {}
        splink = told["splink"]["per_class"].get(name, {}).get("present") or {}
        line = f"{name:<24}"
        if there.get("asked"):
            line += share(there, "top1", 6) + share(splink, "top1", 8) + share(there, "match", 7) + share(there, "review", 8)
            line += share(there, "none", 8) + share(there, "wrong", 7)
        else:
            line += " " * 44
        print(line + "  |" + (share(absent, "review", 8) + share(absent, "wrong", 7) if absent.get("asked") else ""))
    print()


def share(counts, what, width):
    return f"{100 * counts.get(what, 0) / max(1, counts.get('asked', 0)):>{width}.1f}"


class Many:
    """So many children in a database of their own."""

    def __init__(self, options, children):
        self.options, self.children = options, children
        self.cluster = Cluster(subprocess.run(["sh", "-c", ". scripts/prerequisites.sh; postgres_bin"], cwd=os.path.dirname(HERE),
                                              check=True, capture_output=True, text=True).stdout.strip(),
                               os.path.join(options.keep, str(children)))

    def __enter__(self):
        self.cluster.__enter__()
        try:
            self.index = self.find("load")
        except BaseException:
            self.cluster.__exit__()
            raise
        return self

    def __exit__(self, *failed):
        self.cluster.__exit__(*failed)

    def find(self, *words):
        say(f"{self.children:,} children: {' '.join(map(str, words))}")
        if self.cluster.server.poll() is not None:
            sys.exit(f"PostgreSQL ended; its log is in {self.cluster.folder}")
        return last_line([f"{self.options.programs}/examples/find", self.cluster.url, str(self.children), *map(str, words)])


def load(options, sizes):
    """Two indexes at a time, since PostgreSQL makes one on one core; those that are there are left."""
    def one(children):
        with Many(options, children):
            pass
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(one, sorted(sizes, reverse=True)))


def measure(options, children, sizes):
    """What one size shows; the largest is asked for those who are not there as well."""
    with Many(options, children) as many:
        told = {"index": many.index, "find": many.find("find", options.per_class)}
        if not options.no_peers and children in (max(sizes), 1_000_000):
            told["peers"] = many.find("peers", max(1, options.per_class // (2 if children <= 1_000_000 else 20)))
        if children == max(sizes):
            told["absent"] = many.find("absent", options.trials)
    return told


def recall(counts):
    return counts["retrieved"] / max(1, counts["asked"])


def growth(sizes):
    print("finding, scoring and deciding included, in milliseconds; how many are compared; how many of those asked for are among them")
    print(f"{'children':>12}  {'way':<22}{'p50':>8}{'p95':>8}{'p99':>9}{'first p99':>11}{'cand. p50':>11}{'p99':>7}{'recall':>8}{'index MB':>10}")
    for children, told in sizes.items():
        find, first = told["find"]["all"], told["find"]["first_touch"]
        print(f"{children:>12,}  {'ours, with scoring':<22}{find['p50_ms']:>8.2f}{find['p95_ms']:>8.2f}{find['p99_ms']:>9.2f}{first['p99_ms']:>11.1f}"
              f"{find['candidates_p50']:>11.0f}{find['candidates_p99']:>7.0f}{recall(find):>8.4f}{told['index']['keys_mb']:>10,}")
        for way, peer in told.get("peers", {}).items():
            print(f"{'':>12}  {way + ', alone':<22}{peer['p50_ms']:>8.2f}{peer['p95_ms']:>8.2f}{peer['p99_ms']:>9.2f}{'':>11}"
                  f"{peer['candidates_p50']:>11.0f}{peer['candidates_p99']:>7.0f}{peer['recall']:>8.4f}{peer['index_mb']:>10,}")
    print()


def largest(children, told):
    """Each class at the largest size, and those who were not there."""
    print(f"{children:,} children, of 100 asked for")
    print(f"{'':<30}{'found':>7}{'first':>7}{'auto':>7}{'review':>8}{'missed':>8}{'wrong':>7}{'p99 ms':>8}")
    for name, counts in told["find"]["classes"].items():
        print(f"{name:<30}" + share(counts, "retrieved", 7) + share(counts, "top1", 7) + share(counts, "auto", 7)
              + share(counts, "review", 8) + share(counts, "missed", 8) + share(counts, "wrong", 7) + f"{counts['p99_ms']:>8.1f}")
    print("\nwho are not there, while their twins, brothers, sisters and namesakes are")
    print(f"{'':<30}{'trials':>9}{'review %':>10}{'taken for another':>19}")
    for name, counts in told["absent"]["kinds"].items():
        print(f"{name:<30}{counts['asked']:>9,}" + share(counts, "review", 10) + f"{counts['wrong']:>19}")
    for example in told["absent"]["false_merges"][:20]:
        print("  " + json.dumps(example))
    print()


def of(counts, what):
    return round(counts[what] / max(1, counts["asked"]), 4)


def summary(sets, sizes):
    """The figures of the last line."""
    children = max(sizes)
    find, absent = sizes[children]["find"], sizes[children]["absent"]
    there = sum(counts["wrong"] for counts in find["classes"].values())
    told = {}
    if sets:
        least = {what: min(one["ours"][what] - one["splink"][what] for one in sets.values()) for what in ("f1", "recall_at_zero_fp")}
        told = {"f1_minus_splink": round(least["f1"], 5), "recall_at_zero_fp_minus_splink": round(least["recall_at_zero_fp"], 5),
                "top1": round(min(one["ours"]["top1"] for name, one in sets.items() if name.startswith("febrl")), 5)}
    told |= {
        "trials": absent["all"]["asked"], "false_merges": len(absent["false_merges"]) + there
        + sum(one["ours"]["false_merges"] for one in (sets or {}).values()),
        "clean_review": of(absent["clean"], "review"),
        "moved_auto": of(find["moved_known"], "auto"), "moved_missed": of(find["moved_known"], "missed"),
        "moved_only_auto": of(find["moved_only"], "auto"), "moved_only_missed": of(find["moved_only"], "missed"),
        "children": children, "recall": round(recall(find["all"]), 5), "p50_ms": round(find["all"]["p50_ms"], 3),
        "p99_ms": round(find["all"]["p99_ms"], 3),
        "growth": {str(size): {"p50_ms": round(one["find"]["all"]["p50_ms"], 3), "p99_ms": round(one["find"]["all"]["p99_ms"], 3),
                               "recall": round(recall(one["find"]["all"]), 5)} for size, one in sizes.items()},
        "peers": {str(size): one["peers"] for size, one in sizes.items() if "peers" in one},
        "sets": {name: {who: {what: round(one[who][what], 5) for what in ("f1", "recall_at_zero_fp", "top1")}
                        for who in ("ours", "splink")} for name, one in (sets or {}).items()},
    }
    return told


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="contactpoint-bench-") as folder:
        sets = None if options.no_sets else compare(options, folder)
    wanted = sorted({*options.sizes, options.children})
    os.makedirs(options.keep, exist_ok=True)
    load(options, wanted)
    sizes = {children: measure(options, children, wanted) for children in wanted}
    growth(sizes)
    largest(max(sizes), sizes[max(sizes)])
    print(json.dumps(summary(sets, sizes)))


if __name__ == "__main__":
    main()
