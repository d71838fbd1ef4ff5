"""Rows of tests/cluster/lone, of the JSON lines of pollux-bench.

usage: row.py                 the head of the table
       row.py NAME FILE       one row
       row.py --unknown FILE  how many sets ended without a known outcome
       row.py --refused FILE  exit status 0: some were taken, the others refused as overloaded (or
                              unknown: a copy of the packet was lost, or is late)
"""

import json
import sys

COLUMNS = (("per second", "per_second", 12), ("p50 us", "p50_us", 10), ("p99 us", "p99_us", 10),
           ("max us", "max_us", 10))


def outcomes(result):
    return ", ".join(f"{name[4:]} {count}" for name, count in result["outcomes"].items())


def main():
    if len(sys.argv) == 1:
        print(f"  {'':34}" + "".join(f"{title:>{width}}" for title, _, width in COLUMNS))
        return 0
    with open(sys.argv[-1], encoding="utf-8") as file:
        result = json.load(file)
    counts = result["outcomes"]
    if sys.argv[1] == "--unknown":
        print(counts.get("PLX_UNKNOWN", 0) + result["unfinished"])
        return 0
    if sys.argv[1] == "--refused":
        others = set(counts) - {"PLX_OK", "PLX_E_OVERLOADED", "PLX_UNKNOWN"}
        is_good = counts.get("PLX_OK", 0) > 0 and counts.get("PLX_E_OVERLOADED", 0) > 0
        return 0 if is_good and not others and result["unfinished"] == 0 else 1
    print(f"  {sys.argv[1]:34}" +
          "".join(f"{result[key]:{width}.0f}" for _, key, width in COLUMNS) +
          f"  {outcomes(result)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
