"""Runs every rule over a tree and subtracts the listed exceptions."""

import exceptions
import rules
import tree


def lint(of_tree, exempt=None):
    """Returns (violations, warnings, number of files read); violations are printable lines."""
    exempt = exceptions.EXCEPTIONS if exempt is None else exempt
    files = of_tree.files
    found = []
    warnings = []
    for file in files:
        for rule in rules.FILE_RULES:
            found.extend(rule(file))
        warnings.extend(rules.warn_file_length(file))
    for rule in tree.TREE_RULES:
        found.extend(rule(of_tree))
    used = set()
    violations = []
    for path, line, rule, text in found:
        if (rule, path) in exempt:
            used.add((rule, path))
        else:
            violations.append(f"{path}:{line}: {rule}: {text}")
    for rule, path in sorted(set(exempt) - used):
        violations.append(f"{path}:1: exception: rule '{rule}' is not broken here; drop the entry")
    return sorted(violations), warnings, len(files)
