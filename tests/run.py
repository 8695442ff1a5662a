"""run.py - the suites of ./test: what each builds and runs, what it counts.

A suite is a function that returns (passed, failed, skipped) and says as it goes what ran. Long forms (--long) do the same
for longer. Nothing here leaves files outside the build directories and temporary ones.
"""
import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "fuzz"))
import targets as fuzz_targets  # noqa: E402

TOP = Path(__file__).resolve().parent.parent
BUILD = TOP / "build-test"
RELEASE_BUILD = TOP / "build-release"
FUZZ_BUILD = TOP / "build-fuzz"
JOBS = os.cpu_count() or 2
SANITIZER = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}
# Freed memory is given out again at once, as without a sanitizer: what compares pointers to the dead shows.
REUSE = {"ASAN_OPTIONS": SANITIZER["ASAN_OPTIONS"] + ":quarantine_size_mb=0:thread_local_quarantine_size_kb=0"}


def run(command, **options):
    """Runs a command in the project's directory; returns its exit status and everything it printed."""
    env = {**os.environ, **SANITIZER, **options.pop("env", {})}
    done = subprocess.run(command, cwd=TOP, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", **options)
    return done.returncode, done.stdout


def must(command, what, **options):
    status, output = run(command, **options)
    if status != 0:
        print(output[-8000:])
        sys.exit(f"{what} failed (status {status})\n0 passed, 1 failed, 0 skipped")
    return output


def configure(where, options, env=None):
    again = ["--reconfigure"] if (where / "build.ninja").exists() else []
    must(["meson", "setup", *again, *options, str(where)], f"configuring {where.name}", env=env or {})


def build():
    """The sanitized build that unit, talk, e2e and crash use."""
    configure(BUILD, ["-Db_sanitize=address,undefined", "-Dbuildtype=debugoptimized"])
    must(["ninja", "-C", str(BUILD)], "build")


BROKEN = []  # what failed, named once more at the end of the run


def report(name, passed, failed, skipped, detail=""):
    if failed and not any(b.startswith(name) for b in BROKEN):
        BROKEN.append(name)
    mark = "FAILED" if failed else "ok"
    print(f"  {mark:6} {name}: {passed} passed, {failed} failed, {skipped} skipped {detail}".rstrip(), flush=True)


def cmocka_counts(output):
    passed = len(re.findall(r"^\[       OK \]", output, re.M))
    failed = len(re.findall(r"^\[  FAILED  \] (?!.*test\(s\))", output, re.M)) // 2
    skipped = len(re.findall(r"^\[  SKIPPED \] (?!.*test\(s\))", output, re.M)) // 2
    return passed, failed, skipped


def run_binaries(binaries, counts, args=(), timeout=300):
    """Runs test programs side by side; a program that ends badly without naming a failed test is one failure."""
    total = [0, 0, 0]

    def one(binary):
        try:
            return run([str(binary), *args], timeout=timeout)
        except subprocess.TimeoutExpired:
            return 124, "ran out of time"

    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for binary, (status, output) in zip(binaries, pool.map(one, binaries)):
            passed, failed, skipped = counts(output)
            if status != 0 and failed == 0:
                failed = 1
            if failed:
                print(output[-6000:])
            report(binary.name, passed, failed, skipped)
            for i, n in enumerate((passed, failed, skipped)):
                total[i] += n
    return tuple(total)


def suite_house(_):
    """The rules of the house: who may include whom, what files may say, static analysis."""
    build()
    total = [0, 0, 0]
    for check in sorted((TOP / "tests/house").glob("*.py")):
        status, output = run([sys.executable, str(check)])
        failed = status != 0
        if failed:
            print(output[-6000:])
        report(check.stem, int(not failed), int(failed), 0)
        total[int(failed)] += 1
    return tuple(total)


def suite_unit(_):
    build()
    return run_binaries(sorted(p for p in (BUILD / "tests/unit").glob("unit_*") if p.is_file()), cmocka_counts)


# What these answer is asked, not what survives: their mail is in memory where there is room for it.
IN_MEMORY = {"TMPDIR": "/dev/shm"} if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 1 << 30 else {}


def transcripts(folder, program, env, note=""):
    """Each whole and in pieces."""
    talks = sorted(str(p) for p in (TOP / "tests/talk" / folder).glob("*.talk"))
    status, output = run([str(BUILD / "tests/talk" / program), *talks], timeout=600, env={**IN_MEMORY, **env})
    closing = re.findall(r"(\d+) passed, (\d+) failed", output)
    passed, failed = (int(n) for n in closing[-1]) if closing else (0, 1)
    return folder, passed, failed or int(status != 0), output, note


def imap_model(program, long):
    """Random sessions against each other, some courses of them."""
    passed, broken = 0, []
    for seed in range(1, 41 if long else 4):
        status, output = run([str(BUILD / "tests/talk" / program), "2000" if long else "300", str(seed)], timeout=600, env=IN_MEMORY)
        passed += status == 0
        broken += [output] if status != 0 else []
    return program, passed, len(broken), "".join(broken), ""


def suite_talk(options):
    """Transcripts and models, against the sessions in this process."""
    build()
    total = [0, 0]
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        runs = [pool.submit(transcripts, "imap", "talk_imap", {}), pool.submit(transcripts, "imap", "talk_imap", REUSE, "(memory used again at once)"),
                pool.submit(transcripts, "smtp", "talk_smtp", {}), pool.submit(transcripts, "smtp_out", "talk_smtp_out", {}),
                *(pool.submit(imap_model, program, options.long) for program in ("imap_stress", "imap_resync"))]
        for name, passed, failed, output, note in (done.result() for done in runs):
            if failed:
                print(output[-8000:])
            report(name, passed, failed, 0, note)
            total[0] += passed
            total[1] += failed
    return *total, 0


def pytest(folder, long, build_dir=BUILD, program=None, workers=0):
    """workers: so many files at a time; tests mostly wait."""
    xml = build_dir / f"pytest-{Path(folder).name}.xml"
    env = {"POSTERN": str(program or build_dir / "postern"), "POSTERN_BUILD": str(build_dir), "POSTERN_LONG": "1" if long else ""}
    status, output = run(["/usr/bin/python3", "-m", "pytest", "-q", "-x" if long else "-q", "--durations=5",
                          "-p", "no:cacheprovider", f"--junitxml={xml}", *(["-n", str(workers), "--dist", "loadfile"] if workers else []), folder], env=env)
    suite = ElementTree.parse(xml).getroot().find("testsuite") if xml.exists() else None
    counts = {} if suite is None else suite.attrib
    failed = int(counts.get("failures", 0)) + int(counts.get("errors", 0))
    skipped = int(counts.get("skipped", 0))
    passed = int(counts.get("tests", 0)) - failed - skipped
    if status not in (0, 5) and failed == 0:
        failed = 1
    if failed:
        print(output[-12000:])
        BROKEN.extend(broken_tests(folder, suite))
    report(folder, passed, failed, skipped)
    return passed, failed, skipped


def broken_tests(folder, suite):
    """The names of tests that failed or broke, with the first line of why."""
    cases = [] if suite is None else suite.iter("testcase")
    trouble = ((case, case.find("failure") if case.find("failure") is not None else case.find("error")) for case in cases)
    return [f"{folder}: {case.get('classname')}::{case.get('name')}: {(bad.get('message') or '').partition(chr(10))[0][:200]}"
            for case, bad in trouble if bad is not None]


def suite_e2e(options):
    build()
    print(must(["/usr/bin/python3", "tests/e2e/unpacked.py"], "fetching other mail servers"), end="")
    return pytest("tests/e2e", options.long, workers=6)


DESKTOP = ("/usr/bin/chromedriver", "/usr/bin/thunderbird", "/usr/bin/Xvfb", "/var/lib/roundcube/public_html/index.php")


def suite_desktop(options):
    """Web mail in a browser, a mail program with windows: where their packages are installed (./test desktop does that)."""
    missing = [path for path in DESKTOP if not Path(path).exists()]
    if missing:
        report("tests/desktop", 0, 0, 1, f"(no {missing[0]}; ./test desktop installs it)")
        return 0, 0, 1
    build()
    return pytest("tests/desktop", options.long)


def suite_release(options):
    """What is shipped: the release build, where the roles' system-call lists are strict, under the server's own tests and with an
    enemy in each role."""
    configure(RELEASE_BUILD, ["--buildtype=release", "-Dtests=true"])
    must(["ninja", "-C", str(RELEASE_BUILD), "postern", "tests/unit/unit_role_filter", "tests/inside/postern_inside"], "release build")
    strict = run_binaries([RELEASE_BUILD / "tests/unit/unit_role_filter"], cmocka_counts)
    served = [pytest(f"tests/e2e/test_{name}.py", options.long, RELEASE_BUILD) for name in ("server", "log", "trace", "inside", "system_calls", "secrets")]
    return tuple(map(sum, zip(strict, *served)))


def suite_crash(options):
    """Processes killed, disks cut off: the server is what is shipped, its tools come from the sanitized build."""
    build()
    configure(RELEASE_BUILD, ["--buildtype=release", "-Dtests=true"])
    must(["ninja", "-C", str(RELEASE_BUILD), "postern", "postern-fetch.so", "tests/crash/postern_tampered"], "release build")
    return pytest("tests/crash", options.long, program=RELEASE_BUILD / "postern", workers=0 if options.long else 2)


def suite_fuzz(options):
    """Each target: its whole corpus, then some seconds of new inputs."""
    configure(FUZZ_BUILD, ["-Dfuzz=true", "-Dtests=false", "-Db_sanitize=address,undefined", "-Db_lundef=false"],
              env={"CC": "clang"})
    must(["ninja", "-C", str(FUZZ_BUILD)], "fuzz build")
    seconds = options.seconds or (60 if options.long else 2)
    names = fuzz_targets.names()

    def one(name):
        found = FUZZ_BUILD / "found" / name
        found.mkdir(parents=True, exist_ok=True)
        return run([str(FUZZ_BUILD / "tests/fuzz" / f"fuzz_{name}"), *fuzz_targets.flags(name), f"-max_total_time={seconds}", *([] if options.long else ["-seed=1"]),
                    f"-artifact_prefix={FUZZ_BUILD}/{name}-", str(found), str(fuzz_targets.seeds(name))],
                   env=fuzz_targets.environment(name))

    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for name, (status, output) in zip(names, pool.map(one, names)):
            if status != 0:
                failed += 1
                print(output[-4000:])
            else:
                passed += 1
            report(f"fuzz_{name}", int(status == 0), int(status != 0), 0, f"({seconds} s)")
    outside = built_by_others("message_date")
    return passed + int(outside), failed + int(not outside), 0


def built_by_others(name):
    """tests/fuzz/build.sh as OSS-Fuzz calls it, for one target: program, seeds and dictionary, which work together."""
    out = FUZZ_BUILD / "oss"
    status, output = run(["tests/fuzz/build.sh", name], env={"OUT": str(out), "WORK": str(FUZZ_BUILD / "oss-build"), "CC": "clang"})
    if status == 0:
        shutil.unpack_archive(out / f"{name}_seed_corpus.zip", out / "corpus")
        status, output = run([str(out / name), f"-dict={out / name}.dict", "-runs=100", str(out / "corpus" / name)])
    if status != 0:
        print(output[-4000:])
    report("build.sh", int(status == 0), int(status != 0), 0)
    return status == 0


SUITES = {"house": suite_house, "unit": suite_unit, "talk": suite_talk, "e2e": suite_e2e, "desktop": suite_desktop, "release": suite_release,
          "crash": suite_crash, "fuzz": suite_fuzz}


def main():
    parser = argparse.ArgumentParser(prog="./test", description="Runs postern's test suites.")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="of: " + " ".join(SUITES) + "; none: all")
    parser.add_argument("--long", action="store_true", help="the long form of crash, fuzz and soak runs")
    parser.add_argument("--seconds", type=int, default=0, help="for each fuzz target")
    parser.add_argument("--list", action="store_true", help="name the suites and end")
    options = parser.parse_args()
    if options.list:
        print("\n".join(SUITES))
        return 0
    unknown = [s for s in options.suites if s not in SUITES]
    if unknown:
        parser.error(f"no suite {unknown[0]}; there are: {' '.join(SUITES)}")
    passed = failed = skipped = 0
    for name in options.suites or SUITES:
        print(f"{name}:", flush=True)
        begun = time.monotonic()
        p, f, s = SUITES[name](options)
        passed, failed, skipped = passed + p, failed + f, skipped + s
        print(f"  {time.monotonic() - begun:.0f} s", flush=True)
    for name in BROKEN:
        print(f"  FAILED {name}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
