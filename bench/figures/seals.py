"""What authenticated packets cost: sets a second without, with integrity, with encryption."""

import statistics

from loads import HERE, ONE, SIXTEEN, interval
from systems import MEDIA, Pollux, running

LOADS = {"1op": ONE, "16op": SIXTEEN}
WAYS = ("none", "integrity", "encryption")


def _rates(way, seconds):
    """Sets a second of each load, on a cluster of its own. Nodes and clients seal alike."""
    settings = {} if way == "none" else {"FIGURES_SECURITY": way}
    with running(Pollux("memory", **settings)) as pollux:
        key = () if way == "none" else ("--key", pollux.tell("key"))
        return {name: pollux.load("--op", "set", "--seconds", seconds, *load, *key)["per_second"]
                for name, load in LOADS.items()}


def cost(run):
    """Rounds of the three ways in turn, each round in another order; ratios are of one round."""
    rounds = []
    for number in range(run.size(12, 1)):
        ways = WAYS[number % 3:] + WAYS[:number % 3]
        if number // 3 % 2:
            ways = ways[::-1]
        rounds.append({way: _rates(way, run.size(3, 1)) for way in ways})
    kept = {}
    for load in LOADS:
        kept[load] = {way: interval(of[way][load] for of in rounds) for way in WAYS}
        for way in WAYS[1:]:
            ratios = [of[way][load] / of["none"][load] for of in rounds]
            kept[load][f"{way} / none, median"] = round(statistics.median(ratios), 3)
            kept[load][f"{way} / none, each"] = [round(ratio, 3) for ratio in ratios]
    run.keep("seal-cost", kept)
    worst = min(LOADS, key=lambda load: kept[load]["integrity / none, median"])
    run.goal("seal-cost", kept[worst]["integrity"][1],
             f"sets a second, {worst}; peer: without security", peer=kept[worst]["none"][1],
             ratio=kept[worst]["integrity / none, median"],
             met=kept[worst]["integrity / none, median"] >= 0.95, medium=MEDIA["memory"],
             transport=HERE)
