#!/usr/bin/env -S python3 -B
"""Draws some of the figures, quickly, and looks at what became of them. Exit 77: no gnuplot."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

PICTURES = {"elections": ("failover-thesis", "failover-low", "failover-own"),
            "packets": ("packets",), "inside": (), "gauge": (), "nodes": ("nodes",)}


def expect(is_so, what):
    if not is_so:
        sys.exit(f"figures: {what}")


def check(folder):
    goals = {goal["id"]: goal for goal in json.loads((folder / "figures.json").read_text())}
    details = json.loads((folder / "details.json").read_text())
    report = (folder / "report.html").read_text()
    failed = [name for name in details if name.endswith("-failed")]
    expect(not failed, f"{failed}: {[details[name] for name in failed]}")
    expect(len(goals) == 15, f"{len(goals)} goals instead of 15")
    expect(goals["packets"]["measured"] == 6, f"{goals['packets']['measured']} packets, not 6")
    for name in ("elections", "relaxed-get-lane", "leader-cpu"):
        expect(goals[name]["measured"] is not None, f"{name} was not measured")
    expect(goals["restart"]["measured"] is None, "restart was measured without being asked for")
    rates = [float(line.split(",")[2]) for line in
             (folder / "nodes.csv").read_text().splitlines()[1:]]
    expect(len(rates) == 4 and max(rates) > 0, f"sets a second of one and five nodes: {rates}")
    for name in (name for names in PICTURES.values() for name in names):
        for ending in ("svg", "png", "csv"):
            expect((folder / f"{name}.{ending}").stat().st_size > 100, f"{name}.{ending} is empty")
    expect(report.count("<svg") == sum(map(len, PICTURES.values())), "the report lacks pictures")


def main():
    if shutil.which("gnuplot") is None:
        print("gnuplot is not installed")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="pollux-figures-test-") as folder:
        subprocess.run([pathlib.Path(__file__).with_name("main.py"), "--quick", "--out", folder,
                        "--only", ",".join(PICTURES)], check=True)
        check(pathlib.Path(folder))


if __name__ == "__main__":
    main()
