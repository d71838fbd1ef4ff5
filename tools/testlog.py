"""Counts test cases in meson's testlog.json: prints "passed failed skipped", and on standard error
the name of each case that was skipped.

A cmocka program counts by its cases; any other test, and a program that died, counts as one.
"""

import json
import re
import sys

_CASE = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] (\w+)", re.MULTILINE)
_OUTCOME = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped", "FAILED": "failed",
            "SKIPPED": "skipped"}


def count(test):
    """Counts of one test as {"passed": n, "failed": n, "skipped": n}."""
    cases = {"passed": 0, "failed": 0, "skipped": 0}
    for case, name in _CASE.findall(test.get("stdout", "")):
        cases[_OUTCOME[case]] += 1
        if case == "SKIPPED":
            print(f"skipped: {test['name']}: {name}", file=sys.stderr)
    outcome = _OUTCOME.get(test["result"], "failed")
    if not any(cases.values()) or (outcome == "failed" and cases["failed"] == 0):
        cases[outcome] += 1
        if outcome == "skipped":
            print(f"skipped: {test['name']}", file=sys.stderr)
    return cases


def main():
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            for name, number in count(json.loads(line)).items():
                totals[name] += number
    print(totals["passed"], totals["failed"], totals["skipped"])


if __name__ == "__main__":
    main()
