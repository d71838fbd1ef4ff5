"""Prints the table of a comparison: medians of each row's runs, and Pollux over etcd."""

import json
import statistics
import sys

MEDIA = {"disk": "disk, each write synced", "memory": "etcd on tmpfs, emulated persistent memory"}


def median(results, key):
    return statistics.median(result[key] for result in results)


def main():
    with open(sys.argv[1], encoding="utf-8") as log:
        results = [json.loads(line) for line in log]
    for medium in MEDIA:
        names = list(dict.fromkeys(r["row"] for r in results if r["medium"] == medium))
        if not names:
            continue
        shards, lanes = next((r["shards"], r["lanes"]) for r in results if "shards" in r)
        print(f"\n{MEDIA[medium]}: five nodes, values of 64 bytes; Pollux: {shards} shards on "
              f"{lanes} lanes")
        print(f"{'':26} {'per second':>22} {'':>7} {'p50 us':>19} {'':>7} {'p99 us':>19}")
        print(f"{'':26} {'etcd':>11}{'pollux':>11} {'ratio':>7} {'etcd':>10}{'pollux':>9} "
              f"{'ratio':>7} {'etcd':>10}{'pollux':>9}")
        for name in names:
            of = {system: [r for r in results if (r["row"], r["medium"]) == (name, medium)
                           and r["system"] == system] for system in ("etcd", "pollux")}
            etcd, pollux = of["etcd"], of["pollux"]
            rate = [median(side, "per_second") for side in (etcd, pollux)]
            p50 = [median(side, "p50_us") for side in (etcd, pollux)]
            p99 = [median(side, "p99_us") for side in (etcd, pollux)]
            print(f"{name:26} {rate[0]:11.0f}{rate[1]:11.0f} {rate[1] / rate[0]:6.1f}x "
                  f"{p50[0]:10.0f}{p50[1]:9.0f} {p50[0] / p50[1]:6.1f}x "
                  f"{p99[0]:10.0f}{p99[1]:9.0f}")
    print(f"\neach result: {sys.argv[1]}")


if __name__ == "__main__":
    main()
