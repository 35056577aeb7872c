"""What NixOS's test driver would say of a script before it runs it: `test_script.py MACHINE… <SCRIPT`.

pyflakes and mypy judge it there. Here: names that are known, methods that a machine has, f-strings that are some.
"""

import ast
import builtins
import sys

# What the driver puts beside the machines.
DRIVER = {"start_all", "join_all", "subtest", "retry", "log", "driver", "machines", "polling_condition", "t"}
# The methods of a machine, with how many arguments they may be given by place.
METHODS = {
    "crash": 0,
    "execute": 4,
    "fail": None,
    "shutdown": 0,
    "sleep": 1,
    "start": 1,
    "succeed": None,
    "wait_for_file": 2,
    "wait_for_unit": 3,
    "wait_until_fails": 2,
    "wait_until_succeeds": 2,
}


def bound(tree):
    """Every name that is given a value, wherever."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg


def mistakes(tree, machines):
    known = set(dir(builtins)) | DRIVER | machines | set(bound(tree))
    # The parts of an f-string that say how a value is formatted are f-strings themselves.
    formats = {id(node.format_spec) for node in ast.walk(tree) if isinstance(node, ast.FormattedValue)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in known:
            yield node, f"{node.id} is unknown"
        if isinstance(node, ast.JoinedStr) and id(node) not in formats:
            if not any(isinstance(part, ast.FormattedValue) for part in node.values):
                yield node, "an f-string with nothing to fill in"
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node, "an import, of which nothing is known here"
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        of, method = node.func.value, node.func.attr
        if isinstance(of, ast.Name) and of.id in machines:
            if method not in METHODS:
                yield node, f"a machine has no {method}, as far as is known here"
            elif METHODS[method] is not None and len(node.args) > METHODS[method]:
                yield node, f"{method} takes {METHODS[method]} arguments"


def main():
    script = sys.stdin.read()
    tree = ast.parse(script, "testScript")
    found = list(mistakes(tree, set(sys.argv[1:])))
    lines = script.splitlines()
    for node, what in found:
        print(f"testScript:{node.lineno}: {what}: {lines[node.lineno - 1].strip()}", file=sys.stderr)
    sys.exit(1 if found else 0)


main()
