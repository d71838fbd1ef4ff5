"""Counts the instructions of single operations and compares them with bench/gauge.txt.

usage: gauge.py [--write | --misses] [--skip REASON] GAUGE FILE OUTPUT
       gauge.py --tiny GAUGE
       gauge.py --self-test

GAUGE is the program bench/gauge, FILE holds the counts to compare with, and callgrind writes its
profile to OUTPUT. A count that is more than 3 % above that of FILE fails; one that is more than 3 %
below is told. --write writes FILE anew. --misses prints how many lines of memory each operation
finds outside of a simulated cache of 32 KiB, which all nodes share, and compares nothing. With a
REASON, or without valgrind: exit status 77. --tiny counts nothing: it runs a few operations, so
that they work in every build. --self-test proves that a rise is noticed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

ALLOWED_PERCENT = 3.0
SKIPPED = 77
# A cache of its own, so that the processor of this machine does not matter.
CACHES = ["--cache-sim=yes", "--I1=32768,8,64", "--D1=32768,8,64", "--LL=8388608,16,64"]
RENEW = "./dev gauge --write"
# What the program calls an operation, and what the file calls it.
NAMES = {
    "gauge_set_leader": "set_at_leader",
    "gauge_set_leader_of_32": "set_at_leader_of_32",
    "gauge_set_follower": "set_at_follower",
    "gauge_get_relaxed": "get_relaxed",
    "gauge_log_append": "append_32_records",
    "gauge_apply": "apply_set",
}
HEAD = """# Instructions of one operation, counted by callgrind in a gcc build with the default
# options. The operations are described in bench/gauge.c. The test "gauge" fails when a count rises
# by more than 3 %. Renew this file with: ./dev gauge --write
#
# The counts were made with:
"""


def tool_versions():
    """What the counts depend on beside the tree: compiler, libraries, and what valgrind's processor
    takes over from this one."""
    gcc = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=False)
    parts = [f"gcc {gcc.stdout.strip()}"]
    for name in ("libdpdk", "libisal", "libpmem2"):
        found = subprocess.run(["pkg-config", "--modversion", name], capture_output=True, text=True,
                               check=False)
        parts.append(f"{name} {found.stdout.strip()}")
    parts.append(" ".join(os.confstr("CS_GNU_LIBC_VERSION").split()))
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        parts.append("AVX2" if re.search(r"\bavx2\b", cpuinfo.read()) else "no AVX2")
    return ", ".join(parts)


def run(program, *arguments):
    """Runs the program in a folder of its own; returns how many operations each function ran."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    folder = tempfile.mkdtemp(prefix="pollux-gauge-", dir=memory)
    command = [*program, folder, *arguments]
    environment = dict(os.environ, PMEM2_FORCE_GRANULARITY="CACHE_LINE")
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment,
                              check=False)
    finally:
        shutil.rmtree(folder)
    if done.returncode != 0:
        sys.exit(f"gauge: {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return {name: int(count) for name, count in
            re.findall(r"^(gauge_\w+) (\d+)$", done.stdout, re.MULTILINE)}


def inclusive(lines, events):
    """The sum of the events inside each gauge_ function, what it calls included, over its calls."""
    names = {}
    sums = dict.fromkeys(NAMES, 0)
    columns = []
    callee = None
    lines = iter(lines)
    for line in lines:
        match = re.match(r"c?fn=\((\d+)\)(?: (\S+))?", line)
        if match:
            if match[2]:
                names[match[1]] = match[2].split(".")[0]
            callee = names[match[1]] if line[0] == "c" else callee
        elif line.startswith("events:"):
            columns = [line.split().index(event) for event in events]
        elif line.startswith("calls="):
            costs = next(lines).split()
            if callee in sums:
                # Zeros at the end of a line are left out.
                sums[callee] += sum(int(costs[i]) for i in columns if i < len(costs))
    return sums


def measure(program, output, events=("Ir",), options=()):
    operations = run(["valgrind", "--tool=callgrind", *options,
                      f"--callgrind-out-file={output}", program])
    with open(output, encoding="utf-8") as profile:
        sums = inclusive(profile, events)
    for name in NAMES:
        if not operations.get(name) or sums[name] == 0:
            sys.exit(f"gauge: {output}: nothing was counted in {name}; was it inlined?")
    return {NAMES[name]: sums[name] / operations[name] for name in NAMES}


def read(path):
    """The counts of the file, and what they were made with."""
    counts, made_with, is_next = {}, "", False
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#"):
                made_with = line[1:].strip() if is_next else made_with
                is_next = line.strip() == HEAD.splitlines()[-1]
            elif line.strip():
                name, count = line.split()
                counts[name] = int(count)
    return counts, made_with


def write(path, counts):
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{HEAD}# {tool_versions()}\n")
        file.writelines(f"{name} {count}\n" for name, count in counts.items())


def compare(now, before):
    """Prints a line for each count; returns the numbers of those that rose and fell too far."""
    risen = fallen = 0
    for name in {**before, **now}:
        if name not in before or name not in now:
            where = "the file" if name in now else "this build"
            print(f"{name}: no count in {where}")
            risen += 1
            continue
        count = now[name]
        percent = 100 * (count - before[name]) / before[name]
        verdict = f"within {ALLOWED_PERCENT:g} %"
        if percent > ALLOWED_PERCENT:
            verdict = f"RISEN by more than {ALLOWED_PERCENT:g} %"
            risen += 1
        elif percent < -ALLOWED_PERCENT:
            verdict = f"fallen by more than {ALLOWED_PERCENT:g} %"
            fallen += 1
        print(f"{name}: from {before[name]} to {count} instructions ({percent:+.1f} %): {verdict}")
    return risen, fallen


def self_test():
    before = {"a": 100, "b": 1000}
    for now, expected in (({"a": 103, "b": 970}, (0, 0)), ({"a": 104, "b": 1000}, (1, 0)),
                          ({"a": 100, "b": 969}, (0, 1)), ({"a": 100}, (1, 0)),
                          ({"a": 100, "b": 1000, "c": 1}, (1, 0))):
        found = compare(now, before)
        if found != expected:
            sys.exit(f"gauge: {now} beside {before}: {found} rose and fell, not {expected}")
    profile = """events: Ir Dr D1mr
fn=(1) main
cfn=(2) gauge_apply.constprop.0
calls=2 10
5 70 3 1
cfn=(3) other
calls=1 10
6 1000 1
fn=(4) elsewhere
cfn=(2)
calls=1 10
7 30
"""
    for events, expected in ((["Ir"], 100), (["Dr", "D1mr"], 4)):
        found = inclusive(profile.splitlines(), events)["gauge_apply"]
        if found != expected:
            sys.exit(f"gauge: {events} sum up to {found}, not {expected}")
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--skip", metavar="REASON")
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("gauge", nargs="?")
    parser.add_argument("file", nargs="?")
    parser.add_argument("output", nargs="?")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    if arguments.tiny:
        run([arguments.gauge, "--time"], "10")
        return 0 if len(run([arguments.gauge], "10")) == len(NAMES) else 1
    if arguments.output is None:
        parser.error("which counts to compare with, and where may callgrind write?")
    if arguments.skip:
        print(f"skipped: {arguments.skip}")
        return SKIPPED
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is missing; install the package valgrind")
        return SKIPPED
    if arguments.misses:
        for name, count in measure(arguments.gauge, arguments.output, ("D1mr", "D1mw"),
                                   CACHES).items():
            print(f"{name}: {count:.1f} lines")
        return 0
    now = {name: round(count) for name, count in
           measure(arguments.gauge, arguments.output).items()}
    before, made_with = read(arguments.file) if os.path.exists(arguments.file) else ({}, "")
    risen, fallen = compare(now, before)
    if arguments.write:
        write(arguments.file, now)
        print(f"written: {arguments.file}")
        return 0
    if risen:
        print(f"See what costs more: callgrind_annotate --inclusive=yes {arguments.output}")
        print(f"If it is worth its cost, renew {arguments.file}: {RENEW}")
        if made_with != tool_versions():
            print(f"The file was made with: {made_with}\nThis build has:         "
                  f"{tool_versions()}\nThat may be the whole difference.")
    elif fallen:
        print(f"{arguments.file} may be renewed: {RENEW}")
    return 1 if risen else 0


if __name__ == "__main__":
    sys.exit(main())
