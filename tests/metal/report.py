"""What a run has found: one line for each assertion."""

import sys
import threading
import time


class Phase:
    """What one phase finds; another may be played beside it."""

    def __init__(self, report, name):
        self.report = report
        self.name = name

    def check(self, held, what, detail=""):
        """Prints one line. The detail, which says what was found, is shown of what fails."""
        with self.report.lock:
            if held:
                self.report.passed += 1
                print(f"ok    {self.name}: {what}", flush=True)
            else:
                self.report.failed += 1
                print(f"FAIL  {self.name}: {what}", flush=True)
                for line in str(detail).strip().splitlines()[-12:]:
                    print(f"      {line}", flush=True)
        return held

    def tell(self, text):
        print(f"      {text}", flush=True)


class Report:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.lock = threading.Lock()
        self.begun = time.monotonic()

    def begin(self, name):
        with self.lock:
            print(f"== {name} ({time.monotonic() - self.begun:.0f} s)", flush=True)
        return Phase(self, name)

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(0 if self.failed == 0 and self.passed > 0 else 1)
