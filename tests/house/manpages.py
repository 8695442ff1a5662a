"""manpages.py - the man pages are what mandoc expects."""
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def main():
    if shutil.which("mandoc") is None:
        print("mandoc is not installed")
        return 1
    pages = sorted([*TOP.glob("docs/*.[1-8]"), *TOP.glob("build-test/**/*.[58]")])
    if not pages:
        print("no man pages found")
        return 1
    failed = False
    for page in pages:
        done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", str(page)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(done.stdout + done.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
