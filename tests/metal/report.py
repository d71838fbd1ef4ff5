"""What a run has found: one line for each assertion."""

import sys
import threading
import time


class Report:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.phase = ""
        self.lock = threading.Lock()
        self.begun = time.monotonic()

    def check(self, held, what, detail=""):
        """Prints one line. The detail, which says what was found, is shown of what fails."""
        with self.lock:
            if held:
                self.passed += 1
                print(f"ok    {self.phase}: {what}", flush=True)
            else:
                self.failed += 1
                print(f"FAIL  {self.phase}: {what}", flush=True)
                for line in str(detail).strip().splitlines()[-12:]:
                    print(f"      {line}", flush=True)
        return held

    def tell(self, text):
        print(f"      {text}", flush=True)

    def begin(self, phase):
        self.phase = phase
        print(f"== {phase} ({time.monotonic() - self.begun:.0f} s)", flush=True)

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(0 if self.failed == 0 and self.passed > 0 else 1)
