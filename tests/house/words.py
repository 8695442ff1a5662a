"""words.py - what no file of the project says: promises of something later, and paths of one machine."""
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PROMISES = re.compile(r"\b(TODO|FIXME|XXX|for now|not (yet )?implemented|placeholder)\b")
# spelled so that this file does not find itself
PATHS = re.compile("/" + r"(work|farm)/|/tmp/" + "bash_jobs")


def main():
    names = subprocess.run(["git", "ls-files", "src", "include", "tests", "docs", "bench", "packaging", "etc", "README.md",
                            "meson.build", "test", "quickstart"], cwd=TOP, capture_output=True, text=True, check=True).stdout
    found = []
    for name in names.splitlines():
        path = TOP / name
        if path == Path(__file__).resolve() or "/seed/" in name or not path.is_file():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            code = name.startswith(("src/", "include/"))
            if (code and PROMISES.search(line)) or PATHS.search(line):
                found.append(f"{name}:{number}: {line.strip()[:120]}")
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
