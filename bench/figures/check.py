#!/usr/bin/env -S python3 -B
"""Draws some of the figures, quickly, and looks at what became of them. Exit 77: no gnuplot."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

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


def processes(session):
    """The command lines of those that live."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getsid(int(process.name)) == session:
                found.append((process / "cmdline").read_bytes().decode())
    return [line for line in found if line]


def await_so(condition, what):
    deadline = time.monotonic() + 30
    while not condition():
        expect(time.monotonic() < deadline, what)
        time.sleep(0.05)


def check_interrupted(program, folder, number):
    """Whoever interrupts it finds no process of it left."""
    with subprocess.Popen([program, "--quick", "--out", folder, "--only", "killed"],
                          start_new_session=True, stderr=subprocess.DEVNULL) as figures:
        await_so(lambda: any("polluxd" in line for line in processes(figures.pid)),
                 "no node was started")
        figures.send_signal(number)
        status = figures.wait()
        left = processes(figures.pid)
    expect(status != 0, f"{number.name} was not noticed")
    expect(not left, f"{number.name} leaves {left}")


def main():
    if shutil.which("gnuplot") is None:
        print("gnuplot is not installed")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="pollux-figures-test-") as folder:
        program = pathlib.Path(__file__).with_name("main.py")
        subprocess.run([program, "--quick", "--out", folder, "--only", ",".join(PICTURES)],
                       check=True)
        check(pathlib.Path(folder))
        for number in (signal.SIGINT, signal.SIGTERM):
            check_interrupted(program, folder, number)


if __name__ == "__main__":
    main()
