"""targets.py - what belongs to a fuzz target beside its code: group, seeds, dictionary, options of libFuzzer.

A dictionary is NAME.dict, or that of the name's first word (imap.dict for imap_parse). NAME.options is read as OSS-Fuzz
does: its section [libfuzzer] holds flags of the program, its section [asan] those of AddressSanitizer.
"""
import configparser
import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent

# Every target is in one of these; long runs go group by group.
GROUPS = {
    "message": ("message", "envelope"),
    "imap": ("imap",),
    "smtp": ("smtp", "probe", "relay", "cli"),
    "dns_tls": ("dns", "tls", "check", "net"),
    "store_queue_ipc": ("store", "queue", "ipc", "trace", "control"),
    "auth_conf": ("auth", "conf", "core", "logline"),
}


def names():
    return sorted(path.stem for path in HERE.glob("*.c"))


def group_of(name):
    word = name.partition("_")[0]
    return next(group for group, words in GROUPS.items() if word in words)


def seeds(name):
    return HERE / "seed" / name


def dictionary(name):
    own = HERE / f"{name}.dict"
    shared = HERE / f"{name.partition('_')[0]}.dict"
    return own if own.exists() else shared if shared.exists() else None


def section(name, which):
    parser = configparser.ConfigParser()
    parser.read(HERE / f"{name}.options")
    return dict(parser[which]) if parser.has_section(which) else {}


def flags(name):
    """The arguments that the target is always run with."""
    words = [f"-{key}={value}" for key, value in section(name, "libfuzzer").items()]
    words += ["-rss_limit_mb=2048", "-timeout=20"]
    found = dictionary(name)
    return words + ([f"-dict={found}"] if found else [])


def environment(name):
    asan = {"abort_on_error": "1", "detect_stack_use_after_return": "1", "strict_string_checks": "1", **section(name, "asan")}
    return {**os.environ, "ASAN_OPTIONS": ":".join(f"{k}={v}" for k, v in asan.items()),
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
