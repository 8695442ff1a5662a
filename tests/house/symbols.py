"""symbols.py - a global name belongs to one folder: the linker would silently take either of two."""
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def main():
    owners = defaultdict(set)
    libraries = sorted((TOP / "build-test/src").glob("*/libpostern_*.a"))
    for library in libraries:
        listed = subprocess.run(["nm", "--defined-only", "--extern-only", str(library)], capture_output=True, text=True, check=True)
        for line in listed.stdout.splitlines():
            fields = line.split()
            if len(fields) == 3 and not fields[2].startswith(("__", "_GLOBAL")):
                owners[fields[2]].add(library.parent.name)
    twice = {name: folders for name, folders in owners.items() if len(folders) > 1}
    for name, folders in sorted(twice.items()):
        print(f"{name}: defined in {' and '.join(sorted(folders))}")
    if not libraries:
        print("nothing is built yet")
    return 1 if twice or not libraries else 0


if __name__ == "__main__":
    sys.exit(main())
