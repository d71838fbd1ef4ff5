"""Figures of elections: simulated ones from bench/elections, real ones from killed leaders."""

import csv
import os
import subprocess
import tempfile

from draw import Picture
from systems import BUILD, ROOT, run_script

# As the thesis measured: a broadcast to voters and back takes about 15 ms.
THESIS_NETWORK = ("--delay", "2-3", "--write", "8-12")
OWN_NETWORK = ("--delay", "0.02-0.06", "--write", "0.05-0.15")
THESIS_RANGES = ("150-150", "150-151", "150-155", "150-175", "150-200", "150-300")
LOW_RANGES = ("12-24", "25-50", "50-100", "100-200")
OWN_RANGES = ("1-2", "2-4", "5-10")
# Published: Ongaro 2014, chapter 9. What, of which range, in ms.
PUBLISHED = (("150-155", "median", 287.0), ("150-200", "worst", 513.0), ("12-24", "mean", 35.0),
             ("12-24", "worst", 152.0))


def trials(timeout, count, *options):
    done = subprocess.run([BUILD / "bench/elections", "--timeout", timeout, "--trials", str(count),
                           *options], stdout=subprocess.PIPE, text=True, check=True)
    return [{key: float(value) for key, value in row.items()}
            for row in csv.DictReader(done.stdout.splitlines())]


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def distribution(values):
    """Points of the cumulative distribution, as many as can be seen."""
    ordered = sorted(values)
    step = max(1, len(ordered) // 200)
    points = [(round(ordered[i], 3), round((i + 1) / len(ordered), 4))
              for i in range(0, len(ordered), step)]
    return points + [(round(ordered[-1], 3), 1)]


def simulated(run):
    """The thesis' picture; the crash is until a new leader's first append is heard."""
    count = run.size(1000, 100)
    results = {}
    for timeout in THESIS_RANGES + LOW_RANGES:
        of_range = min(count, 100) if timeout == "150-150" else count
        results[timeout] = trials(timeout, of_range, *THESIS_NETWORK)
    for timeout in OWN_RANGES:
        results[timeout] = trials(timeout, count, *OWN_NETWORK)
    run.keep("elections", {
        timeout: {key: summary(rows, key) for key in ("heard_ms", "committed_ms")}
        for timeout, rows in results.items()})
    for name, ranges, label, low, high in (
            ("failover-thesis", THESIS_RANGES, "the thesis' ranges", 100, 10000),
            ("failover-low", LOW_RANGES, "lower ranges", 10, 10000),
            ("failover-own", OWN_RANGES, "20 to 60 us one way, writes of 50 to 150 us", 0.5, 20)):
        run.draw(Picture(
            name, f"Leader crash until a new leader is heard, simulated: {label}",
            "ms since the crash", "share of trials",
            [(f"{timeout} ms", distribution([row["heard_ms"] for row in results[timeout]]))
             for timeout in ranges],
            ("set logscale x", f"set xrange [{low}:{high}]", "set yrange [0:1]")),
            "simulated network, storage and crash; real consensus core; five nodes")
    judge(run, results)


def summary(rows, key):
    values = [row[key] for row in rows]
    return {"mean": round(sum(values) / len(values), 1), "median": round(quantile(values, 0.5), 1),
            "p99": round(quantile(values, 0.99), 1), "worst": round(max(values), 1),
            "trials": len(values)}


def judge(run, results):
    compared = []
    for timeout, what, published in PUBLISHED:
        ours = summary(results[timeout], "heard_ms")[what]
        compared.append({"range": timeout, "what": what, "thesis_ms": published, "ours_ms": ours,
                         "met": ours <= published})
    run.keep("elections-thesis", compared)
    run.goal("elections", sum(row["met"] for row in compared),
             f"of {len(compared)} published figures at or below the thesis",
             peer=len(compared), met=all(row["met"] for row in compared), medium="simulated",
             transport="simulated")


def packets(run):
    """Requests sent and answers received until a leader is elected, 150 to 200 ms, five nodes."""
    count = run.size(1000, 100)
    lines = []
    of_election = {}
    for name, options in (("without pre-vote", ["--no-pre-vote"]), ("with pre-vote", [])):
        rows = trials("150-200", count, *THESIS_NETWORK, *options)
        of_election[name] = [row["packets"] for row in rows]
        lines.append((name, distribution(of_election[name])))
    run.draw(Picture("packets", "Packets to elect a leader, timeouts of 150 to 200 ms, simulated",
                     "packets", "share of trials", lines,
                     ("set xrange [0:80]", "set yrange [0:1]", "set xtics 8"), "steps"),
             "simulated network, storage and crash; real consensus core; five nodes")
    plain = of_election["without pre-vote"]
    run.keep("packets", {name: {"least": min(values), "median": quantile(values, 0.5),
                                "below 8": sum(v < 8 for v in values) / len(values),
                                "8 to 16": sum(8 <= v <= 16 for v in values) / len(values)}
                         for name, values in of_election.items()})
    run.goal("packets", min(plain), "packets at least, without pre-vote", peer=6,
             met=min(plain) == 6, medium="simulated", transport="simulated")


REAL_RANGES = (("150-300", 150, 300, 50), ("25-50", 25, 50, 10), ("12-24", 12, 24, 5),
               ("5-10", 5, 10, 2))


def killed(run):
    """Leaders of real processes killed under load: what a client feels."""
    count = run.size(100, 4)
    lines = []
    kept = {}
    for name, low, high, heartbeat in REAL_RANGES if not run.is_quick else REAL_RANGES[-1:]:
        times = outages(low, high, heartbeat, count)
        lines.append((f"{name} ms", distribution(times)))
        kept[name] = {"p50": quantile(times, 0.5), "p99": quantile(times, 0.99),
                      "worst": max(times), "kills": len(times)}
    run.keep("killed", kept)
    run.draw(Picture("failover-real",
                     "Leader killed until the next acknowledged write, real processes",
                     "ms without service", "share of kills", lines,
                     ("set logscale x", "set yrange [0:1]")),
             "five real processes and a load of 1,000 sets a second on this machine; emulated "
             "persistent memory, memif and UDP")
    p99 = kept["5-10"]["p99"]
    run.goal("failover", p99, "ms, p99 of kills with timeouts of 5 to 10 ms", met=p99 < 20,
             medium="emulated persistent memory", transport="memif, UDP")


def outages(low, high, heartbeat, count):
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as file:
        environment = dict(os.environ, POLLUX_BUILD=str(BUILD), KILLS_OUTAGES=file.name,
                           PMEM2_FORCE_GRANULARITY="CACHE_LINE",
                           POLLUX_BENCH_DISK=os.environ.get("POLLUX_BENCH_MEMORY", "/dev/shm"),
                           CLUSTER_EXTRA=f"election_timeout_min = {low}ms\n"
                                         f"election_timeout_max = {high}ms\n"
                                         f"heartbeat_interval = {heartbeat}ms")
        run_script([ROOT / "tests/cluster/kills", str(count)], env=environment,
                   stdout=subprocess.DEVNULL)
        return [float(line) for line in file if line.strip()]
