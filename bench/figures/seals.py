"""What authenticated packets cost: sets a second without, with integrity, with encryption."""

import contextlib
import statistics

from loads import HERE, ONE, SIXTEEN, interval
from systems import MEDIA, Pollux, running

LOADS = {"1op": ONE, "16op": SIXTEEN}
WAYS = ("none", "integrity", "encryption")


def _cluster(way):
    """Nodes and clients seal alike. Nodes that have nothing to do sleep: see cost."""
    settings = {} if way == "none" else {"FIGURES_SECURITY": way}
    return Pollux("memory", CLUSTER_IDLE="1", CLUSTER_LOG_SIZE="256MiB", **settings)


def _rate(pollux, load, key):
    """A second, after half of one."""
    return pollux.load("--op", "set", "--seconds", 1, "--warmup-ms", 500, *load,
                       *key)["per_second"]


def cost(run):
    """Rounds of the three ways in turn, each round in another order; ratios are of one round. The
    machine is not as fast from one minute to the next, so the three clusters run all the time, and
    the numbers of a round are seconds apart; two of them sleep while the third one is loaded."""
    rounds = {load: [] for load in LOADS}
    with contextlib.ExitStack() as stack:
        clusters = {way: stack.enter_context(running(_cluster(way))) for way in WAYS}
        keys = {way: () if way == "none" else ("--key", clusters[way].tell("key"))
                for way in WAYS}
        for number in range(run.size(30, 1)):
            ways = WAYS[number % 3:] + WAYS[:number % 3]
            if number // 3 % 2:
                ways = ways[::-1]
            for name, load in LOADS.items():
                rounds[name].append({way: _rate(clusters[way], load, keys[way]) for way in ways})
    kept = {}
    for load, measured in rounds.items():
        kept[load] = {way: interval(of[way] for of in measured) for way in WAYS}
        for way in WAYS[1:]:
            ratios = [of[way] / of["none"] for of in measured]
            kept[load][f"{way} / none, median"] = round(statistics.median(ratios), 3)
            kept[load][f"{way} / none, each"] = [round(ratio, 3) for ratio in ratios]
    run.keep("seal-cost", kept)
    worst = min(LOADS, key=lambda load: kept[load]["integrity / none, median"])
    run.goal("seal-cost", kept[worst]["integrity"][1],
             f"sets a second, {worst}; peer: without security", peer=kept[worst]["none"][1],
             ratio=kept[worst]["integrity / none, median"],
             met=kept[worst]["integrity / none, median"] >= 0.95, medium=MEDIA["memory"],
             transport=HERE)
