"""analysis.py - cppcheck over all sources: errors, warnings, portability."""
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def main():
    done = subprocess.run(
        ["cppcheck", "--quiet", "--error-exitcode=1", "--inline-suppr", "--enable=warning,portability", "-j2", "--std=c11",
         "--library=posix", f"--library={TOP}/tests/house/cppcheck.cfg", "--suppress=missingIncludeSystem",
         # it takes ASSERT(x != NULL) for a test that may fail
         "--suppress=nullPointerRedundantCheck",
         # one thread looks up users, and no directory stream is shared
         "--suppress=getpwuidCalled", "--suppress=getpwnamCalled", "--suppress=readdirCalled",
         "-Iinclude", "-D_GNU_SOURCE", '-DPOSTERN_VERSION=""', "src"], cwd=TOP, capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
