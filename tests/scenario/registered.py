"""Fails when a scenario of this folder is not played: registered.py FOLDER NAME..."""

import pathlib
import sys

present = {path.stem for path in pathlib.Path(sys.argv[1]).glob("*.txt")}
registered = set(sys.argv[2:])
for name in sorted(present ^ registered):
    print(f"{name}: {'not registered' if name in present else 'no such file'}")
sys.exit(present != registered)
