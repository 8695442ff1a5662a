"""layers.py - a folder includes only what stands after it in the order of the house, and every file says what it holds."""
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
ORDER = "main cli role http fetch imap relay smtp queue store filter auth tls dns message conf ipc net core".split()
LIBEVENT = {"core", "net", "ipc", "dns", "http", "fetch"}


def sources():
    for pattern in ("src/*/*.c", "src/*/*.h", "include/postern/*/*.h"):
        yield from sorted(TOP.glob(pattern))


def problems(path):
    folder = path.parent.name
    text = path.read_text()
    where = path.relative_to(TOP)
    if folder not in ORDER:
        yield f"{where}: folder {folder} is not one of the house"
        return
    if not re.match(r"/\* [\w.-]+ - ", text):
        yield f"{where}: does not begin with /* {path.name} - what it holds"
    elif not text.startswith(f"/* {path.name} - "):
        yield f"{where}: its first line names another file"
    for line, include in re.findall(r"^(#include [<\"]([^>\"]+)[>\"])", text, re.M):
        used = re.match(r"postern/(\w+)/", include)
        if used and ORDER.index(used[1]) < ORDER.index(folder):
            yield f"{where}: {line} - {folder} may not use {used[1]}"
        if include.startswith("event2/") and folder not in LIBEVENT:
            yield f"{where}: {line} - libevent belongs to {' '.join(sorted(LIBEVENT))}"


def main():
    found = [p for path in sources() for p in problems(path)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
