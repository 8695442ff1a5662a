"""unpacked.py - mail servers of Debian that exclude each other, side by side, and tools for file systems: their packages are fetched and
unpacked below $POSTERN_TEST_CACHE (~/.cache/postern-test), nothing is installed. Each server runs in a mount namespace in which its
files lie over the machine's /usr and /etc."""
import contextlib
import fcntl
import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

PACKAGES = {
    "postfix": ("postfix", "libicu72", "libdb5.3", "libnsl2", "libtirpc3", "libsasl2-2"),
    "exim": ("exim4-daemon-light", "exim4-base", "exim4-config", "libgnutls-dane0", "libidn12", "libnsl2", "libtirpc3", "libdb5.3"),
    "opensmtpd": ("opensmtpd", "libevent-2.1-7", "libdb5.3"),
    "dovecot": ("dovecot-core", "dovecot-imapd", "libexttextcat-2.0-0", "libicu72", "liblua5.4-0", "libstemmer0d", "libtirpc3",
                "libwrap0", "libunwind8"),
    "btrfs": ("btrfs-progs", "liblzo2-2"),
}
PROGRAMS = {"postfix": "usr/sbin/postfix", "exim": "usr/sbin/exim4", "opensmtpd": "usr/sbin/smtpd",
            "dovecot": "usr/lib/dovecot/imap", "btrfs": "bin/btrfs"}
USERS = {"postfix": 61301, "Debian-exim": 61302, "opensmtpd": 61303, "opensmtpq": 61304, "postdrop": 61305, "reader": 61306}

SPACE = r"""set -e
mount -t tmpfs tmpfs {dir}
mkdir {dir}/etc {dir}/work
mount -t overlay -o lowerdir={files}/usr:/usr overlay /usr
mount -t overlay -o lowerdir={files}/etc:/etc,upperdir={dir}/etc,workdir={dir}/work overlay /etc
for place in spool lib mail log; do mount -t tmpfs -o mode=755 tmpfs /var/$place; done
mount -t tmpfs -o mode=755 tmpfs /run
echo ready
exec sleep 100000
"""


def cache():
    base = os.environ.get("POSTERN_TEST_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "postern-test")
    Path(base).mkdir(parents=True, exist_ok=True)
    return Path(base)


@contextlib.contextmanager
def alone():
    """One at a time fetches."""
    with open(cache() / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package], capture_output=True, text=True)
    return done.stdout == "installed"


def fetch(name, where):
    """The server's packages and the libraries that this machine lacks, unpacked."""
    main, *libraries = PACKAGES[name]
    own = [p for p in (main, *libraries) if not p.startswith("lib") or not is_installed(p)]
    where.mkdir()
    done = subprocess.run(["apt-get", "download", "-q", *own], cwd=where, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"apt-get download {' '.join(own)}: {done.stderr.strip().splitlines()[-1]}")
    for package in where.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, where], check=True)
        package.unlink()
    if (where / "lib").is_dir():  # /lib is /usr/lib
        shutil.copytree(where / "lib", where / "usr/lib", dirs_exist_ok=True)


@functools.cache
def files(name):
    """The directory of the server's files; fetched when it is not there. OSError: it cannot be had."""
    where = cache() / f"{name}-{version(name)}"
    with alone():
        if not (where / PROGRAMS[name]).exists():
            half = cache() / f"{name}.new"
            shutil.rmtree(half, ignore_errors=True)
            try:
                fetch(name, half)
                half.rename(where)
            finally:
                shutil.rmtree(half, ignore_errors=True)
    return where


def version(name):
    done = subprocess.run(["apt-cache", "policy", PACKAGES[name][0]], capture_output=True, text=True)
    found = re.search(r"Candidate: (\S+)", done.stdout)
    if not found or found[1] == "(none)":
        raise OSError(f"apt knows no package {PACKAGES[name][0]}")
    return found[1].replace(":", "_")


@functools.cache
def missing(name):
    """Why this server cannot be run here, in words; None when it can."""
    try:
        files(name)
    except OSError as e:
        return f"{name}: {e}"
    if "\toverlay\n" not in Path("/proc/filesystems").read_text():
        return "the kernel has no overlay file system"
    return None


class Space:
    """A mount namespace with the server's files; /etc can be written, /var/spool, /var/lib, /var/log, /var/mail and /run are empty.
    dir: a directory of ours, made here; resolver: for its resolv.conf."""

    def __init__(self, name, directory, resolver="192.0.2.53"):
        directory.mkdir()
        self.process = subprocess.Popen(["unshare", "-m", "sh", "-c", SPACE.format(dir=directory, files=files(name))], stdout=subprocess.PIPE,
                                        text=True)
        assert self.process.stdout.readline() == "ready\n", f"no mount namespace for {name}"
        self.root = Path(f"/proc/{self.process.pid}/root")
        self.put("/etc/resolv.conf", f"nameserver {resolver}\noptions trust-ad edns0\n")
        for what, line in (("passwd", "{n}:x:{i}:{i}::/nonexistent:/bin/sh"), ("group", "{n}:x:{i}:")):
            old = [row for row in Path("/etc", what).read_text().splitlines() if row.split(":")[0] not in USERS]
            self.put(f"/etc/{what}", "\n".join(old + [line.format(n=n, i=i) for n, i in USERS.items()]) + "\n")

    def put(self, path, text, mode=0o644):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def words(self, *command):
        """A command line that runs in it."""
        return ["nsenter", f"--mount=/proc/{self.process.pid}/ns/mnt", *map(str, command)]

    def run(self, *command, check=True, **options):
        done = subprocess.run(self.words(*command), capture_output=True, text=True, timeout=60, **options)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def close(self):
        self.process.kill()
        self.process.wait()


if __name__ == "__main__":  # fetches them all; inside the tests' network there is nobody to fetch from
    for reason in filter(None, map(missing, PACKAGES)):
        print(reason)
