"""Where a rule does not apply, and why. An entry that is no longer needed is itself a violation."""

EXCEPTIONS = {}
