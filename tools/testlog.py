"""Counts test cases in meson's testlog.json: prints "passed failed skipped", and on standard error
the name of each case that was skipped.

With --failed before the file: prints the name of each test that failed, and the end of its output.

A cmocka program counts by its cases; any other test, and a program that died, counts as one.
"""

import json
import re
import sys

_CASE = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] (\w+)", re.MULTILINE)
_OUTCOME = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped", "FAILED": "failed",
            "SKIPPED": "skipped"}
_TOLD_LINES = 25


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


def tell_failed(test):
    """Prints what one test that failed is called, and the end of what it wrote."""
    if _OUTCOME.get(test["result"], "failed") != "failed":
        return
    print(f"failed: {test['name']} ({test['result']} after {test['duration']:.0f} s)")
    for stream in ("stdout", "stderr"):
        for line in test.get(stream, "").splitlines()[-_TOLD_LINES:]:
            print(f"    {line}")


def main():
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    is_telling = sys.argv[1] == "--failed"
    with open(sys.argv[-1], encoding="utf-8") as log:
        tests = [json.loads(line) for line in log]
    if is_telling:
        for test in tests:
            tell_failed(test)
        return
    for test in tests:
        for name, number in count(test).items():
            totals[name] += number
    print(totals["passed"], totals["failed"], totals["skipped"])


if __name__ == "__main__":
    main()
