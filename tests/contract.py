"""Holds tests/CONTRACT.md to the tests that it names: contract.py ROOT [--self-test]

Each row of its tables is a promise: | number | sentence | proofs |. A proof is in backticks: a
kind, and what it names.

    unit FOLDER_UNIT: TEST, TEST...   tests of tests/unit/FOLDER/UNIT_test.c, in its list of tests
    scenario NAME                     tests/scenario/NAME.txt, played
    sim RULE                          a rule of the simulator that its source judges by
    states NAME                       an enumeration of crash states that is a test
    mutant NUMBER                     a fault that the simulator must notice, not a waiting one
    chaos RULE                        a rule of the judge of real histories
    cluster NAME                      a test with real processes

A row without a proof, or with one that does not exist, is a fault.
"""

import pathlib
import re
import sys

ROW = re.compile(r"^\| (\d+) \| (.*) \| (.*) \|$")
PROOF = re.compile(r"`([^`]*)`")


class Tree:
    """The tests of a tree, by kind."""

    def __init__(self, root):
        self.tests = pathlib.Path(root) / "tests"

    def text(self, name):
        path = self.tests / name
        return path.read_text() if path.is_file() else ""

    def texts(self, folder):
        return "".join(path.read_text() for path in sorted((self.tests / folder).glob("*.c")))

    def has_unit(self, what):
        unit, _, names = what.partition(": ")
        folder, _, name = unit.partition("_")
        text = self.text(f"unit/{folder}/{name}_test.c")
        missing = [test for test in names.split(", ") if not is_run(text, test)]
        return f"{', '.join(missing) or 'no test'} in {unit}" if missing or not names else ""

    def has_scenario(self, name):
        is_played = f"'{name}'" in self.text("scenario/meson.build")
        return "" if is_played and self.text(f"scenario/{name}.txt") else "no such scenario"

    def has_sim(self, rule):
        is_rule = f"    X({rule}, " in self.text("sim/verdict.h")
        is_judged = re.search(rf"\bRULE_{rule}\b", self.texts("sim"))
        return "" if is_rule and is_judged else "no such rule, or nothing is judged by it"

    def has_chaos(self, rule):
        is_rule = f"    X({rule}, " in self.text("chaos/judge.h")
        is_judged = re.search(rf"\bJUDGE_{rule}\b", self.texts("chaos"))
        return "" if is_rule and is_judged else "no such rule, or nothing is judged by it"

    def has_states(self, name):
        return "" if f"test('{name}'," in self.text("sim/meson.build") else "no such test"

    def has_mutant(self, number):
        found = list((self.tests / "mutants").glob(f"{number}-*.mutant"))
        is_at_work = len(found) == 1 and "\nwaiting\n" not in found[0].read_text()
        return "" if is_at_work else "no such mutant, or it waits for what it attacks"

    def has_cluster(self, name):
        return "" if f"'{name}'" in self.text("cluster/meson.build") else "no such test"

    def fault(self, proof):
        """What is wrong with a proof; empty: it is there."""
        kind, _, what = proof.partition(" ")
        find = getattr(self, f"has_{kind}", None)
        return find(what) if find is not None and what else "no such kind of proof"


def is_run(text, test):
    """Defined in a unit test, and in its list."""
    is_defined = f"static void {test}(void **state)" in text
    return is_defined and len(re.findall(rf"\b{test}\b", text)) > 1


def faults_of(tree, lines):
    """Every fault of the document; and how many rows and proofs it has."""
    rows = [row for row in (ROW.match(line) for line in lines) if row]
    proof_count = 0
    faults = [] if rows else ["no row"]
    for expected, row in enumerate(rows, 1):
        number, sentence, proofs = int(row[1]), row[2].strip(), PROOF.findall(row[3])
        if number != expected:
            faults.append(f"row {number}: {expected} was expected")
        if not sentence or not proofs:
            faults.append(f"row {number}: no sentence, or no proof")
        faults += [f"row {number}: {proof}: {fault}" for proof in proofs
                   if (fault := tree.fault(proof))]
        proof_count += len(proofs)
    return faults, len(rows), proof_count


def without(proof):
    """The same kind of proof, of what does not exist."""
    return proof[:-1] + ("x" if proof[-1] != "x" else "y")


def self_test(tree, lines):
    """Each kind of proof, made wrong, is noticed; so is a row without one, and a lost row."""
    kinds = {}
    for at, line in enumerate(lines):
        for proof in PROOF.findall(line) if ROW.match(line) else []:
            kinds.setdefault(proof.split()[0], (at, proof))
    first = min(at for at, _ in kinds.values())
    trials = {kind: (at, lines[at].replace(f"`{proof}`", f"`{without(proof)}`"))
              for kind, (at, proof) in kinds.items()}
    trials["another kind"] = (first, lines[first].replace("`unit ", "`hearsay "))
    trials["no proof"] = (first, PROOF.sub("", lines[first]))
    trials["no sentence"] = (first, ROW.sub(r"| \1 |  | \3 |", lines[first]))
    trials["lost row"] = (first, "")
    known = {name[4:] for name in dir(tree) if name.startswith("has_")}
    unnoticed = [name for name, (at, line) in trials.items()
                 if not faults_of(tree, lines[:at] + [line] + lines[at + 1:])[0]]
    print(f"{len(trials)} broken documents, {len(trials) - len(unnoticed)} refused")
    return [f"not noticed: {name}" for name in unnoticed] + \
        [f"no row has a proof of kind {kind}" for kind in sorted(known - set(kinds))]


def main(root, *options):
    tree = Tree(root)
    lines = tree.text("CONTRACT.md").splitlines()
    faults, row_count, proof_count = faults_of(tree, lines)
    if options == ("--self-test",) and not faults:
        faults = self_test(tree, lines)
    for fault in faults:
        print(f"CONTRACT.md: {fault}")
    print(f"{row_count} sentences, {proof_count} proofs, {len(faults)} faults")
    sys.exit(len(faults) > 0)


main(*sys.argv[1:])
