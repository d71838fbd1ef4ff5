#!/usr/bin/env -S python3 -B
"""The figures of Pollux, measured and drawn on this machine, beside etcd and Redis.

usage: ./dev figures --out DIR [--quick] [--only NAME,...]
  --quick   every figure with a small share of its trials and seconds: to see that they work
  --only    some of them (see --list); figures.json keeps null for the others
  --list    prints the names

DIR gets report.html, a picture (SVG, PNG) and the data (CSV) of each figure, figures.json with the
goals, history.md with the same as a section of bench/HISTORY.md, and details.json with all numbers.
Exit status 0 whatever the figures say.
"""

import argparse
import json
import pathlib
import signal
import subprocess
import sys

import elections
import loads
import report
import seals
from goals import GOALS
from systems import load_average, machine

MEASURES = {
    "elections": elections.simulated,
    "packets": elections.packets,
    "inside": loads.inside,
    "gauge": loads.gauge,
    "steps": loads.steps,
    "killed": elections.killed,
    "latency": loads.latency,
    "shards": loads.lanes_and_shards,
    "nodes": loads.nodes,
    "readers": loads.readers,
    "values": loads.values,
    "growth": loads.growth,
    "peers": loads.peers,
    "seal-cost": seals.cost,
    "latency-1": loads.latency_one,
    "idle": loads.idle,
    "restart": loads.restart,
    "snapshot-pause": loads.snapshot_pause,
}


class Run:
    """One run: what it measures, keeps and draws."""

    def __init__(self, folder, is_quick):
        self.folder, self.is_quick = folder, is_quick
        self.machine = machine()
        self.goals = {goal["id"]: dict(goal, measured=None, unit=None, peer=None, ratio=None,
                                       met=None, medium=None, transport=None, machine=self.machine)
                      for goal in GOALS}
        self.details = {}
        self.pictures = []

    def size(self, full, quick):
        return quick if self.is_quick else full

    def keep(self, name, value):
        self.details[name] = value

    def goal(self, name, measured, unit, met, medium, transport, peer=None, ratio=None):
        self.goals[name].update(measured=measured, unit=unit, peer=peer, ratio=ratio, met=met,
                                medium=medium, transport=transport)

    def draw(self, picture, setting):
        """`setting` names medium, transport and what is simulated."""
        setting = setting[0].upper() + setting[1:]
        picture.setting = f"{setting}. {self.machine}, load average {load_average()}."
        picture.draw(self.folder)
        self.pictures.append(picture)

    def write(self):
        with open(self.folder / "figures.json", "w", encoding="utf-8") as file:
            json.dump(list(self.goals.values()), file, indent=1)
            file.write("\n")
        with open(self.folder / "details.json", "w", encoding="utf-8") as file:
            json.dump(self.details, file, indent=1)
            file.write("\n")
        report.write(self)
        report.write_history(self)


def parse():
    parser = argparse.ArgumentParser(prog="./dev figures", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default=",".join(MEASURES))
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    options.only = [name for name in options.only.split(",") if name]
    unknown = [name for name in options.only if name not in MEASURES]
    if unknown:
        parser.error(f"--only {','.join(unknown)}: unknown; --list prints the names")
    if options.out is None and not options.list:
        parser.error("--out DIR is missing: where the figures go")
    return options


def main():
    options = parse()
    if options.list:
        print("\n".join(MEASURES))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    run = Run(options.out, options.quick)
    for name in options.only:
        print(f"figures: {name}", file=sys.stderr, flush=True)
        try:
            MEASURES[name](run)
        except (RuntimeError, OSError, subprocess.SubprocessError) as reason:
            print(f"figures: {name}: failed: {reason}", file=sys.stderr)
            run.keep(f"{name}-failed", str(reason))
        run.write()
    print(f"figures: {options.out / 'report.html'}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        main()
    except KeyboardInterrupt:
        print("figures: interrupted; what was measured before is kept", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
