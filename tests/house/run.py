#!/usr/bin/env python3
"""Checks of the house itself: its plan, its style, what must not get in.

    tests/house/run.py [--root DIR] [NAME...]

Each check is first run over its own examples, then over the tree. Findings go to stdout as
"file:line: text"; the last line is "N passed, N failed", and a check that cannot run has failed."""

import argparse
import pathlib
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # leaves nothing in the tree

from checks import CHECKS  # noqa: E402
from tree import Tree  # noqa: E402

HERE = pathlib.Path(__file__).resolve()


def asleep(function, examples):
    """Why the check FUNCTION cannot be trusted; None if it sees what its examples hold."""
    for files, wanted in examples:
        with tempfile.TemporaryDirectory(prefix="house.") as scratch:
            for name, text in files.items():
                path = pathlib.Path(scratch, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            found = [(name, line) for name, line, _ in function(Tree(scratch))]
        if sorted(found) != sorted(wanted):
            return f"in its own example it should find {wanted}, not {found}"
    return None


def main():
    parser = argparse.ArgumentParser(description="checks of the house itself")
    parser.add_argument("--root", default=HERE.parents[2], help="the tree to look at")
    parser.add_argument("names", nargs="*", metavar="NAME", help="these checks only")
    args = parser.parse_args()

    known = {name for name, _, _ in CHECKS}
    unknown = set(args.names) - known
    if unknown:
        parser.error(f"no such check: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")

    tree, failed, ran = Tree(args.root), 0, 0
    for name, function, examples in CHECKS:
        if args.names and name not in args.names:
            continue
        start, findings = time.monotonic(), []
        ran += 1
        try:
            why = asleep(function, examples)
            findings = list(function(tree))
        except OSError as error:
            why = str(error)
        for file, line, text in findings:
            print(f"{file}:{line}: {text} [{name}]")
        if why:
            print(f"tests/house/checks.py:1: the check '{name}' does not work: {why}")
        failed += bool(findings or why)
        print(f"{'FAIL' if findings or why else 'ok  '} {name} ({time.monotonic() - start:.1f} s)",
              file=sys.stderr)
    print(f"{ran - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
