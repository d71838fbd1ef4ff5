"""What tests/cluster/soak has found, and whether it is as it should be.

usage: soak_judge.py [--strict] FOLDER

Exit status 0: memory and files are bounded, nothing is lost, every node caught up, all nodes have
the same state. With --strict the two goals of speed must be met, too.
"""

import json
import pathlib
import statistics
import sys

GROWTH = 1.05
SLACK_KIB = 16 * 1024
# Of resident memory. All memory is reserved at the start, and the kernel gives a page when it is
# first touched. So a node that leads for the first time grows once, and so do the pools that fill
# at the worst moment only: values that are being replaced (8 MiB), values that a snapshot has not
# written yet (an eighth of the store).
POOLS_KIB = 16 * 1024
SIZES = ("resident", "reserved", "files", "blocks")
THROUGHPUT_GOAL = 0.95
LATENCY_GOAL = 2.0


class Verdict:
    def __init__(self, folder):
        self.folder = folder
        self.bad = []
        self.missed = []

    def require(self, is_good, what):
        if not is_good:
            self.bad.append(what)

    def goal(self, is_met, text):
        print(f"soak: goal {'met' if is_met else 'NOT met'}: {text}")
        if not is_met:
            self.missed.append(text)

    def words(self, name):
        return [line.split() for line in (self.folder / name).read_text().splitlines()]


def fields(words):
    """The NAME=VALUE words of a line of pollux-drill."""
    return dict(word.split("=", 1) for word in words if "=" in word)


def judge_loads(verdict):
    results = {}
    print(f"soak: {'load':11}{'seconds':>9}{'sets/s':>11}{'p50 us':>10}{'p99 us':>10}"
          f"{'p99.9 us':>10}{'max us':>11}{'errors':>8}{'lost':>6}")
    middle = sorted(path.stem for path in verdict.folder.glob("middle*.json"))
    without = ["without"] if (verdict.folder / "without.json").exists() else []
    for name in (*without, "first", *middle, "last"):
        with open(verdict.folder / f"{name}.json", encoding="utf-8") as file:
            result = json.load(file)
        results[name] = result
        lost = result["check"]["lost"] + result["check"]["unread"]
        others = {key: n for key, n in result["outcomes"].items() if key != "PLX_OK"}
        print(f"soak: {name:11}{result['seconds']:9}{result['per_second']:11.0f}"
              f"{result['p50_us']:10.0f}{result['p99_us']:10.0f}{result['p999_us']:10.0f}"
              f"{result['max_us']:11.0f}{result['errors']:8}{lost:6} {others or ''}")
        verdict.require(result["errors"] == 0 and not others, f"{name}: sets failed: {others}")
        verdict.require(lost == 0 and result["check"]["checked"] > 0,
                        f"{name}: acknowledged sets are lost")
    return results


def judge_speed(verdict, results):
    first, last = (statistics.median(second["finished"] for second in results[name]["series"])
                   for name in ("first", "last"))
    verdict.goal(last >= first * THROUGHPUT_GOAL,
                 f"sets a second at the end {last / first:.3f} of those of the first minute, "
                 f"medians of their seconds (goal {THROUGHPUT_GOAL})")
    if "without" not in results:
        return
    with open(verdict.folder / "without.counters", encoding="utf-8") as file:
        taken = sum(row["counters"]["snapshots_taken"] for row in json.load(file))
    if taken > 0:
        print("soak: snapshots were taken on the large logs, too: nothing to compare p99.9 with")
        return
    ratio = results["first"]["p999_us"] / results["without"]["p999_us"]
    verdict.goal(ratio <= LATENCY_GOAL,
                 f"p99.9 with snapshots {ratio:.2f} times that without (goal {LATENCY_GOAL:.0f})")


def judge_sizes(verdict):
    moments = {}
    for moment, node, *sizes in verdict.words("samples"):
        moments.setdefault(moment, {})[node] = dict(zip(SIZES, map(int, sizes)))
    begin, half, end = (moments[moment] for moment in ("begin", "half", "end"))
    print("soak: MiB of each node after the first minute, at half time and at the end: memory that "
          "none of its files backs, resident (smaps) and reserved (VmData); size of its files; "
          "blocks of them")
    for node in sorted(begin):
        print(f"soak: node {node}: " + ", ".join(
            f"{name} {' '.join(f'{of[node][name] / 1024:.1f}' for of in (begin, half, end))}"
            for name in SIZES))
        for name in SIZES[1:]:
            was, now = begin[node][name], end[node][name]
            verdict.require(now <= was * GROWTH + SLACK_KIB,
                            f"node {node}: {name} grew from {was} to {now} KiB")
    most = [max(of[node]["resident"] for node in of) for of in (begin, half, end)]
    verdict.require(most[2] <= most[0] * GROWTH + SLACK_KIB + POOLS_KIB,
                    f"resident memory of the largest node grew from {most[0]} to {most[2]} KiB")
    verdict.require(most[2] <= most[1] * GROWTH + SLACK_KIB,
                    f"resident memory of the largest node grew from {most[1]} KiB at half time to "
                    f"{most[2]} KiB")


def judge_snapshots(verdict):
    with open(verdict.folder / "end.counters", encoding="utf-8") as file:
        rows = json.load(file)
    taken, failed = (sum(row["counters"][f"snapshots_{what}"] for row in rows)
                     for what in ("taken", "failed"))
    kills = verdict.words("kills")
    installed = sum(int(words[3]) for words in kills)
    seconds = sorted(float(words[2]) for words in kills) or [0]
    print(f"soak: snapshots since the last start of each node: {taken} taken, {failed} failed; "
          f"{len(kills)} nodes killed, {sum(words[1] == 'yes' for words in kills)} of them without "
          f"files, {installed} snapshots installed; caught up in {seconds[len(seconds) // 2]} s "
          f"(median), {seconds[-1]} s (longest)")
    verdict.require(taken > 0, "no snapshot was taken: this run proves nothing")
    verdict.require(failed == 0, f"{failed} snapshots failed")
    verdict.require(all(int(words[3]) > 0 for words in kills) and kills,
                    "a killed node installed no snapshot: this run proves nothing")


def judge_state(verdict):
    steady = fields(verdict.words("steady")[-1])
    print("soak: journal: " + " ".join(f"{name}={steady[name]}" for name in (
        "acknowledged", "mismatches", "timeouts", "unknown", "errors", "pause_max_ms")))
    verdict.require(steady["mismatches"] == steady["errors"] == "0", "the journal's load failed")
    for words in verdict.words("verify"):
        found = fields(words)
        print(f"soak: journal at node {' '.join(words)}")
        verdict.require(int(found.get("checked", 0)) > 0 and
                        found["lost"] == found["twice"] == found["failed"] == "0",
                        f"node {words[0]}: {' '.join(words[1:])}")
    digests = {}
    for name, node, *words in verdict.words("digests"):
        found = fields(words)
        digests.setdefault(name, set()).add((found.get("stored"), found.get("digest")))
        verdict.require(found.get("failed") == "0" and node in ("0", found["node"]) and
                        int(found["stored"]) > 0, f"digest of {name}/ at node {node}: {words}")
    for name, found in digests.items():
        print(f"soak: keys {name}/: " +
              ", ".join(f"{stored} stored, digest {digest}" for stored, digest in sorted(found)) +
              (" at every node" if len(found) == 1 else ": the nodes DIFFER"))
        verdict.require(len(found) == 1, f"keys {name}/: the nodes differ")


def main():
    is_strict = sys.argv[1] == "--strict"
    verdict = Verdict(pathlib.Path(sys.argv[-1]))
    results = judge_loads(verdict)
    judge_sizes(verdict)
    judge_snapshots(verdict)
    judge_state(verdict)
    judge_speed(verdict, results)
    for text in verdict.bad:
        print(f"soak: BAD: {text}")
    return 1 if verdict.bad or (is_strict and verdict.missed) else 0


if __name__ == "__main__":
    sys.exit(main())
