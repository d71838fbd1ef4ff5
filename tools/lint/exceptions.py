"""Where a rule does not apply, and why. An entry that is no longer needed is itself a violation."""

EXCEPTIONS = {
    ("tools/idle.c", "banned"): "the one place where an idle polling thread sleeps, bounded by its deadline",
}
