"""Figures of loads on real clusters, and of their peers beside them."""

import json
import os
import statistics
import subprocess
import tempfile
import time

from draw import Picture
from systems import BUILD, MEDIA, ROOT, Etcd, Missing, Pollux, Redis, folder_of, running

HERE = "memif, UDP over loopback"
ONE = ("--clients", 64, "--outstanding", 4, "--packet-ops", 1)
SIXTEEN = ("--clients", 64, "--outstanding", 16, "--packet-ops", 16)


def interval(values):
    values = list(values)
    return [round(min(values), 3), round(statistics.median(values), 3), round(max(values), 3)]


def etcd_series(rates, seconds):
    """Sets finished in each second of the steps; none where etcd is not installed."""
    try:
        with running(Etcd("memory")) as etcd:
            return [second["finished"] for rate in rates
                    for second in etcd.load("put", 256, seconds, rate)["series"]]
    except Missing:
        return []


def steps(run):
    """Throughput over time under three steps of offered load."""
    seconds = run.size(30, 2)
    lines = []
    kept = {}
    for factor in (1, 100):
        rates = [rate * factor for rate in (2500, 5000, 10000)]
        with running(Pollux("memory")) as pollux:
            results = pollux.loads("--rate", ",".join(map(str, rates)), "--seconds", seconds,
                                   "--clients", 64, "--packet-ops", 1 if factor == 1 else 16,
                                   "--timeout-ms", 2000)
        kept[f"pollux x{factor}"] = results
        points = [second["finished"] for result in results for second in result["series"]]
        lines.append((factor, "Pollux", list(enumerate(points))))
        series = etcd_series(rates, seconds) if factor == 1 else []
        if series:
            lines.append((factor, "etcd", list(enumerate(series))))
    run.keep("steps", kept)
    for factor, name in ((1, "steps"), (100, "steps-100")):
        offered = ", ".join(f"{rate * factor:,}" for rate in (2500, 5000, 10000))
        run.draw(Picture(name, f"Sets finished a second, offered {offered}", "second",
                         "sets finished in it",
                         [(system, points) for of, system, points in lines if of == factor],
                         ("set yrange [0:*]", "set format y '%.0f'")),
                 f"five nodes, {MEDIA['memory']} (etcd on tmpfs), {HERE}")
    plain = kept["pollux x1"]
    late = sum(result["offered"] - result["finished_in_own_second"] for result in plain)
    p99 = max(result["p99_us"] for result in plain)
    run.goal("steps", round(p99 / 1000, 3), f"ms, worst p99; {late} sets not in their own second",
             met=p99 < 1000 and late == 0, medium=MEDIA["memory"], transport=HERE)


def beside(run, goal, target, pollux_load, peer_load, medium, unit):
    """Pollux and a peer in turn, as often as there are rounds."""
    ratios, ours, theirs = [], [], []
    try:
        for _ in range(run.size(5, 1)):
            theirs.append(peer_load())
            ours.append(pollux_load())
            ratios.append(ours[-1] / theirs[-1])
    except Missing as reason:
        run.keep(goal, f"no peer: {reason}")
        return
    ratio = statistics.median(ratios)
    run.keep(goal, {"pollux": interval(ours), "peer": interval(theirs), "ratio": interval(ratios)})
    run.goal(goal, round(statistics.median(ours), 1), unit,
             peer=round(statistics.median(theirs), 1), ratio=round(ratio, 3),
             met=ratio >= target, medium=MEDIA[medium], transport=HERE)


def pollux_rate(medium, seconds, *options):
    with running(Pollux(medium)) as pollux:
        return pollux.load("--seconds", seconds, *options)["per_second"]


def etcd_rate(medium, operation, seconds):
    with running(Etcd(medium)) as etcd:
        return etcd.load(operation, 256, seconds)["per_second"]


def redis_rate(pipeline, seconds):
    with running(Redis()) as redis:
        return redis.sets_per_second(pipeline, seconds)


def beside_redis(run, seconds):
    """The other half of the goal of one set a packet: ten times one unreplicated Redis."""
    goal = run.goals["set-1op"]
    if goal["measured"] is None:
        return
    try:
        rate = redis_rate(1, seconds)
    except Missing as reason:
        run.keep("set-1op-redis", f"no peer: {reason}")
        goal["met"] = None
        return
    run.keep("set-1op-redis", rate)
    goal["met"] = goal["met"] and goal["measured"] >= 10 * rate


def peers(run):
    seconds = run.size(3, 1)
    beside(run, "set-1op", 100, lambda: pollux_rate("memory", seconds, "--op", "set", *ONE),
           lambda: etcd_rate("memory", "put", seconds), "memory",
           "sets a second; peer: etcd on tmpfs")
    beside_redis(run, seconds)
    beside(run, "set-16op", 1, lambda: pollux_rate("memory", seconds, "--op", "set", *SIXTEEN),
           lambda: redis_rate(16, seconds), "memory", "sets a second; peer: one unreplicated Redis")
    beside(run, "set-disk", 50, lambda: pollux_rate("disk", seconds, "--op", "set", *ONE),
           lambda: etcd_rate("disk", "put", seconds), "disk", "sets a second; peer: etcd")
    beside(run, "relaxed-get", 100,
           lambda: pollux_rate("memory", seconds, "--op", "relaxed-get", *ONE),
           lambda: etcd_rate("memory", "get-serializable", seconds), "memory",
           "gets a second; peer: etcd's serializable gets on tmpfs")


def latency_ratios(medium, seconds, rounds):
    """Intervals of the ratio, of our p50 and of etcd's."""
    ratios = []
    for _ in range(rounds):
        with running(Etcd(medium)) as etcd:
            theirs = etcd.load("put", 1, seconds)
        with running(Pollux(medium)) as pollux:
            ours = pollux.load("--op", "set", "--clients", 1, "--seconds", seconds)
        ratios.append((min(theirs[key] / ours[key] for key in ("p50_us", "p99_us")),
                       ours["p50_us"], theirs["p50_us"]))
    return [interval(column) for column in zip(*ratios)]


def latency_one(run):
    """One client with one set outstanding; the ratio is etcd's p50 over ours, or p99 if worse."""
    seconds = run.size(5, 1)
    try:
        kept = {medium: latency_ratios(medium, seconds, run.size(5, 1))
                for medium in ("memory", "disk")}
    except Missing as reason:
        run.keep("latency-1", f"no peer: {reason}")
        return
    run.keep("latency-1", {medium: dict(zip(("ratio", "pollux_p50_us", "etcd_p50_us"), of))
                           for medium, of in kept.items()})
    memory, disk = kept["memory"], kept["disk"]
    run.goal("latency-1", memory[1][1], "us, p50; peer: etcd on tmpfs", peer=memory[2][1],
             ratio=memory[0][1], met=memory[0][1] >= 20 and disk[0][1] >= 10,
             medium=MEDIA["memory"], transport=HERE)


def latency(run):
    """Latency against offered load, up to saturation."""
    seconds = run.size(5, 1)
    rates = (2000, 5000, 10000, 20000, 40000, 60000, 80000, 100000, 120000, 140000, 160000)
    lines = {"p50": [], "p99": [], "p99.9": []}
    for rate in rates if not run.is_quick else rates[::5]:
        with running(Pollux("memory")) as pollux:
            result = pollux.load("--rate", rate, "--seconds", seconds, "--clients", 64)
        for name, key in (("p50", "p50_us"), ("p99", "p99_us"), ("p99.9", "p999_us")):
            lines[name].append((rate, result[key]))
    run.draw(Picture("latency", "Latency of sets against offered load", "sets offered a second",
                     "us", list(lines.items()), ("set logscale y", "set format x '%.0f'"),
                     "linespoints"),
             f"five nodes, {MEDIA['memory']}, {HERE}; counted from when a set was due")


def lanes_and_shards(run):
    seconds = run.size(3, 1)
    lines = []
    for medium in ("memory", "disk"):
        for lanes in (1, 2):
            points = []
            for shards in (1, 2, 4, 8) if not run.is_quick else (1, 4):
                if shards >= lanes:
                    with running(Pollux(medium, shards=shards, lanes=lanes)) as pollux:
                        points.append((shards, pollux.load("--op", "set", "--seconds", seconds,
                                                           *ONE)["per_second"]))
            lines.append((f"{medium}, {lanes} lane{'s' * (lanes > 1)}", points))
    run.draw(Picture("shards", "Sets a second against shards and lanes", "shards", "sets a second",
                     lines, ("set yrange [0:*]", "set format y '%.0f'"), "linespoints"),
             f"five nodes, all lanes of all nodes on this machine's cores; memory: "
             f"{MEDIA['memory']}; {HERE}")


def nodes(run):
    seconds = run.size(3, 1)
    lines = {"one op a packet": [], "16 ops a packet": []}
    for count in (1, 3, 5, 7, 9) if not run.is_quick else (1, 5):
        for name, options in zip(lines, (ONE, SIXTEEN)):
            with running(Pollux("memory", nodes=count)) as pollux:
                result = pollux.load("--op", "set", "--seconds", seconds, *options)
            lines[name].append((count, result["per_second"]))
    run.draw(Picture("nodes", "The price of consensus: sets a second against nodes", "nodes",
                     "sets a second", list(lines.items()),
                     ("set yrange [0:*]", "set format y '%.0f'", "set xtics (1,3,5,7,9)"),
                     "linespoints"),
             f"all nodes on this machine's cores, {MEDIA['memory']}, {HERE}")


def readers(run):
    """Gets while somebody writes at a steady rate."""
    seconds = run.size(3, 1)
    lines = {"relaxed gets": [], "consistent gets": []}
    for rate in (0, 1000, 5000, 20000, 50000) if not run.is_quick else (0, 5000):
        for name, operation in zip(lines, ("relaxed-get", "get")):
            with running(Pollux("memory")) as pollux:
                writer = None
                if rate > 0:
                    writer = subprocess.Popen(
                        [BUILD / "bench/pollux-bench", "--servers", pollux.servers, "--cluster",
                         "figures", "--rate", str(rate), "--seconds", str(seconds + 4)],
                        stdout=subprocess.DEVNULL)
                result = pollux.load("--op", operation, "--seconds", seconds, *ONE)
                if writer is not None:
                    writer.wait()
            lines[name].append((rate, result["per_second"]))
    run.draw(Picture("readers", "Gets a second beside writers", "sets offered a second",
                     "gets a second", list(lines.items()),
                     ("set yrange [0:*]", "set format y '%.0f'", "set format x '%.0f'"),
                     "linespoints"), f"five nodes, {MEDIA['memory']}, {HERE}")


def values(run):
    seconds = run.size(3, 1)
    sizes = (8, 64, 512, 4096, 32768, 262144, 1048576)
    points = []
    for size in sizes if not run.is_quick else sizes[::3]:
        with running(Pollux("memory", CLUSTER_LOG_SIZE="2GiB")) as pollux:
            result = pollux.load("--op", "set", "--size", size, "--seconds", seconds, "--keys", 100,
                                 "--clients", 8, "--outstanding", 4)
        points.append((size, round(result["per_second"] * size / 1e6, 3)))
    run.draw(Picture("values", "Bytes stored against the size of a value", "bytes of a value",
                     "MB a second", [("sets, 32 in flight", points)],
                     ("set logscale xy", "set format x '%.0f'"), "linespoints"),
             f"five nodes, {MEDIA['memory']}, {HERE}")


# Keys, medium of the files, size of the logs, keys_max, store_size. The snapshots of 10 M keys, two
# of each node, would not fit into memory beside the stores of five nodes.
GROWTH_KEYS = ((10_000, "memory", "512MiB", 2_000_000, "256MiB"),
               (100_000, "memory", "512MiB", 2_000_000, "256MiB"),
               (1_000_000, "memory", "512MiB", 2_000_000, "256MiB"),
               (10_000_000, "disk", "1GiB", 20_000_000, "1536MiB"))
GROWTH_CLIENTS = (1, 10, 100, 1000, 10_000)


def growth(run):
    """Does anything grow with keys or clients that should not?"""
    seconds = run.size(3, 1)
    keys = [gets_of_keys(seconds, *of) for of in GROWTH_KEYS[:run.size(len(GROWTH_KEYS), 1)]]
    clients = [sets_of_clients(seconds, count)
               for count in (GROWTH_CLIENTS if not run.is_quick else (1, 100))]
    run.keep("growth", {"keys": keys, "clients": clients})
    run.draw(Picture("growth-keys", "Relaxed gets a second against keys", "keys", "gets a second",
                     [("relaxed gets", [(of["keys"], of["per_second"]) for of in keys])],
                     ("set logscale x", "set yrange [0:*]", "set format xy '%.0f'"), "linespoints"),
             f"five nodes, {MEDIA['memory']} (10 M keys: logs on disk), {HERE}")
    run.draw(Picture("growth-clients", "Sets a second against clients, one set of each in flight",
                     "clients", "sets a second",
                     [("sets", [(of["clients"], of["per_second"]) for of in clients])],
                     ("set logscale x", "set yrange [0:*]", "set format xy '%.0f'"), "linespoints"),
             f"five nodes, {MEDIA['memory']}, {HERE}; all clients in one process")


def gets_of_keys(seconds, count, medium, log_size, keys_max, store_size):
    with running(Pollux(medium, CLUSTER_LOG_SIZE=log_size, CLUSTER_START_SECONDS="300",
                        CLUSTER_EXTRA=f"keys_max = {keys_max}\nstore_size = {store_size}"
                        )) as pollux:
        fill = pollux.load("--op", "fill", "--keys", count, *SIXTEEN)
        result = pollux.load("--op", "relaxed-get", "--no-fill", "--keys", count, "--seconds",
                             seconds, *ONE)
        memory = max(private_mib(pid) for pid in pollux.pids())
    return {"keys": count, "medium": medium, "per_second": result["per_second"],
            "errors": result["errors"], "fill_per_second": fill["per_second"],
            "fill_errors": fill["errors"], "node_mib_without_log": memory}


def sets_of_clients(seconds, count):
    """Each client says hello to each node and opens a session before its first set: the warm-up is
    long enough for all of them."""
    with running(Pollux("memory", CLUSTER_EXTRA="sessions_max = 16384")) as pollux:
        result = pollux.load("--op", "set", "--clients", count, "--seconds", seconds,
                             "--keys", max(count, 10_000), "--warmup-ms", max(1000, count))
    return {key: result[key] for key in ("clients", "per_second", "p50_us", "p99_us", "errors")}


def private_mib(pid):
    """Memory of a node that no file backs."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("RssAnon"))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def idle(run):
    seconds = run.size(10, 2)
    with running(Pollux("memory")) as pollux:
        time.sleep(2)
        pids = pollux.pids()
        before = [cpu_seconds(pid) for pid in pids]
        time.sleep(seconds)
        shares = [(cpu_seconds(pid) - was) / seconds * 100 for pid, was in zip(pids, before)]
        lonely = pollux.load("--op", "set", "--rate", 10, "--clients", 1, "--seconds", seconds)
        busy = pollux.load("--op", "set", "--clients", 1, "--seconds", seconds)
    worst = round(max(shares), 2)
    ratio = round(lonely["p50_us"] / busy["p50_us"], 2)
    run.goal("idle-cpu", worst, "% of a core, the busiest of five idle nodes; a single set's p50 "
             f"is {ratio} times that of a busy node", ratio=ratio, met=worst < 2 and ratio < 2,
             medium=MEDIA["memory"], transport=HERE)


def restart(run):
    """Each node has two snapshot files of about store_size beside its log, all in memory."""
    keys = run.size(1_000_000, 20_000)
    with running(Pollux("memory", CLUSTER_LOG_SIZE="256MiB",
                        CLUSTER_EXTRA="keys_max = 2000000\nstore_size = 256MiB")) as pollux:
        pollux.load("--op", "get", "--keys", keys, "--seconds", 1, *SIXTEEN)
        taken = least_counter(pollux, "snapshots_taken")
        pollux.tell("kill-all")
        begin = time.monotonic()
        pollux.tell("start-all")
        subprocess.run([BUILD / "tools/pollux", "--endpoints", pollux.servers, "--cluster",
                        "figures", "--blocking", "set", "restarted", "yes"], check=True)
        took = time.monotonic() - begin
    run.goal("restart", round(took, 2), f"s from start to the first set, {keys:,} keys of 64 "
             f"bytes; each node had taken {taken} snapshots or more",
             met=took < 1 and keys >= 1_000_000, medium=MEDIA["memory"], transport=HERE)


def least_counter(pollux, name):
    """Of the node with the least."""
    done = subprocess.run([BUILD / "tools/pollux", "--endpoints", pollux.servers, "--cluster",
                           "figures", "-o", "json", "counters"], stdout=subprocess.PIPE, check=True)
    return min(row["counters"][name] for row in json.loads(done.stdout))


def snapshot_pause(run):
    """What a snapshot takes of a lane's turn: the longest slice, of the size that the server takes.
    A slice is the same work in each round. So its shortest time is what it takes, and what some
    rounds have beyond that came from outside: another process on the core, or the host."""
    keys = run.size(1_000_000, 20_000)
    rounds = []
    for _ in range(run.size(5, 1)):
        with tempfile.NamedTemporaryFile("r", prefix="pollux-figures-slices-") as file:
            subprocess.run([BUILD / "bench/engine_snapshot", str(keys), "64", file.name],
                           stdout=subprocess.DEVNULL, check=True)
            rounds.append([int(line) / 1000 for line in file])
    p99 = interval(statistics.quantiles(slices, n=100)[98] for slices in rounds)
    longest = interval(max(slices) for slices in rounds)
    best = round(max(min(times) for times in zip(*rounds)), 1)
    run.keep("snapshot-pause", {"p99_us": p99, "max_us": longest, "longest_of_shortest_us": best})
    run.goal("snapshot-pause", best, f"us, the longest slice, each by its shortest time of "
             f"{len(rounds)} rounds, {keys:,} keys; p99 {p99[1]}; the longest of a round took "
             f"{longest[0]} to {longest[2]}", met=best < 100 and keys >= 1_000_000, medium="memory",
             transport="none: inside the process")


def gauge(run):
    """The leader's time for a set of a batch of 32, and the instructions of bench/gauge.txt."""
    with open(ROOT / "bench/gauge.txt", encoding="utf-8") as file:
        counts = dict(line.split() for line in file if line.strip() and line[0] != "#")
    with tempfile.TemporaryDirectory(prefix="pollux-figures-gauge-",
                                     dir=folder_of("memory")) as folder:
        environment = dict(os.environ, PMEM2_FORCE_GRANULARITY="CACHE_LINE")
        done = subprocess.run([BUILD / "bench/gauge", "--time", folder, str(run.size(4000, 100))],
                              stdout=subprocess.PIPE, text=True, env=environment, check=True)
    words = done.stdout.split()
    p50, p99 = (float(words[words.index(name) + 1]) / 1000 for name in ("p50", "p99"))
    run.keep("gauge", {"instructions": counts, "p50_us": p50, "p99_us": p99,
                       "time": done.stdout.strip()})
    run.goal("leader-cpu", round(p50, 3), "us of CPU of a set in a batch of 32, p50 of the batches "
             f"(p99 {p99:.2f}); all five nodes in one thread", met=p50 < 1,
             medium=MEDIA["memory"], transport="simulated: the network between the ports")


def inside(run):
    """One lane's relaxed gets without a network."""
    keys = run.size(1_000_000, 20_000)
    done = subprocess.run([BUILD / "bench/engine_get", str(keys), str(keys * 4)],
                          stdout=subprocess.PIPE, text=True, check=True)
    run.keep("engine-get", done.stdout.splitlines())
    rate = next(float(line.split("M/s")[0].split()[-1]) for line in done.stdout.splitlines()
                if line.startswith("request of 1 gets"))
    run.goal("relaxed-get-lane", rate, f"million gets a second of one lane, {keys:,} keys, one get "
             "a request", met=rate > 10, medium="memory", transport="none: inside the process")
