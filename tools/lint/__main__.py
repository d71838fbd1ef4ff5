"""The style of Pollux, checked: python3 tools/lint [--cc COMPILER] [--self-test] [ROOT]

--self-test proves that each rule can fail.

Prints one line per violation (path:line: rule: what) and exits 1 if there is any. Rules live in
rules.py (one file at a time), tree.py (the tree as a whole) and documents.py (docs/ beside the
code). exceptions.py lists, with a reason each, where a rule does not apply. fixtures.py breaks
every rule once and expects it to be reported.
"""

import argparse
import os
import shlex
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import fixtures  # noqa: E402
import report  # noqa: E402
import tree  # noqa: E402


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(prog="lint")
    parser.add_argument("root", nargs="?", default=os.path.dirname(os.path.dirname(here)))
    parser.add_argument("--cc", default="cc", help="compiler for the headers-compile-alone rule")
    parser.add_argument("--build", help="meson's build folder, for the rule on unregistered tests")
    parser.add_argument("--self-test", action="store_true", help="prove that each rule can fail")
    arguments = parser.parse_args()
    compiler = shlex.split(arguments.cc)
    if arguments.self_test:
        return fixtures.run(compiler)
    violations, warnings, files_count = report.lint(
        tree.Tree(arguments.root, compiler, arguments.build))
    for warning in warnings:
        print(f"warning: {warning}")
    for violation in violations:
        print(violation)
    print(f"lint: {files_count} files, {len(violations)} violations, {len(warnings)} warnings")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
