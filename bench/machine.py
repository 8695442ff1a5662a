"""The ground both servers stand on: a journaled file system of its own in a file, and control groups that count their CPU."""

import os
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

SYNC_CALLS = ("fsync", "fdatasync", "sync_file_range", "syncfs", "sync", "msync")


class Disk:
    """An ext4 image on a loop device. It is written out whole at first and not cached a second time below, so that a flush is a
    flush of the disk and not a journal commit of the file system that holds the image."""

    def __init__(self, mib=6144, where="/var/tmp"):
        self.dir = Path(tempfile.mkdtemp(prefix="postern-bench-", dir=where))
        self.dir.chmod(0o755)
        self.root = self.dir / "disk"
        self.root.mkdir()
        image = self.dir / "disk.img"
        subprocess.run(["dd", "if=/dev/zero", f"of={image}", "bs=1M", f"count={mib}", "oflag=direct", "status=none"], check=True)
        self.device = subprocess.run(["losetup", "--find", "--show", "--direct-io=on", image], check=True, capture_output=True,
                                     text=True).stdout.strip()
        try:
            subprocess.run(["mkfs.ext4", "-q", "-i", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.device], check=True)
            subprocess.run(["mount", self.device, self.root], check=True)
            self.root.chmod(0o755)
        except BaseException:
            self.close()
            raise

    def close(self):
        subprocess.run(["umount", self.root], check=False)
        subprocess.run(["losetup", "--detach", self.device], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


class Group:
    """A control group: every process of one server, and the CPU time they and their dead have used."""

    def __init__(self, name):
        v1 = Path("/sys/fs/cgroup/cpuacct")
        self.v1 = v1.is_dir()
        self.path = (v1 if self.v1 else Path("/sys/fs/cgroup")) / f"postern-bench-{os.getpid()}-{name}"
        self.path.mkdir()
        if not self.v1 and not (self.path / "cpu.stat").exists():
            raise SystemExit("no control group counts CPU time here")

    def wrapper(self):
        """Words to put before a command, so that it and its children are counted."""
        return ("sh", "-c", f'echo $$ >{self.path}/cgroup.procs; exec "$@"', "sh")

    def cpu_seconds(self):
        if self.v1:
            return int((self.path / "cpuacct.usage").read_text()) / 1e9
        return int(re.search(r"usage_usec (\d+)", (self.path / "cpu.stat").read_text()).group(1)) / 1e6

    def pids(self):
        return [int(line) for line in (self.path / "cgroup.procs").read_text().split()]

    def pss_kib(self):
        """Proportional set size over all processes: what is shared is divided among those who share it."""
        total = 0
        for pid in self.pids():
            try:
                total += int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M).group(1))
            except (OSError, AttributeError):
                pass  # ended meanwhile
        return total

    def pss_by_role(self):
        found = {}
        for pid in self.pids():
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            name = words[words.index(b"--role") + 1].decode() if b"--role" in words else Path(f"/proc/{pid}/comm").read_text().strip()
            pss = int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M).group(1))
            found[name] = found.get(name, 0) + pss
        return found

    def close(self):
        try:
            self.path.rmdir()
        except OSError:
            pass  # somebody is still dying in it


class Flushes:
    """Counts what waits for the disk, by trace points of the kernel: fsync-type calls, and writes to descriptors that were opened
    with O_DSYNC. syncfs counts as one. Processes that start while it counts are children of those it began with."""

    def __init__(self, pids):
        # an event group per process: a filter by descriptor means something else in each
        self.runs = []
        plain = [word for call in SYNC_CALLS for word in ("-e", f"syscalls:sys_enter_{call}")]
        self.start(["-p", ",".join(map(str, pids)), *plain])
        for pid in pids:
            fds = dsync_fds(pid)
            if fds:
                test = "||".join(f"fd=={fd}" for fd in fds)
                self.start(["-p", str(pid), *[word for call in ("pwrite64", "write", "writev", "pwritev")
                                              for word in ("-e", f"syscalls:sys_enter_{call}", "--filter", test)]])

    def start(self, words):
        self.runs.append(subprocess.Popen(["perf", "stat", "-x", ",", *words], stderr=subprocess.PIPE, text=True))

    def stop(self):
        counts = {}
        for run in self.runs:
            run.send_signal(2)
            for line in run.communicate()[1].splitlines():
                words = line.split(",")
                if len(words) > 2 and words[0].isdigit() and int(words[0]) > 0:
                    call = words[2].removeprefix("syscalls:sys_enter_")
                    call = f"O_DSYNC {call}" if "write" in call else call
                    counts[call] = counts.get(call, 0) + int(words[0])
        return counts


def dsync_fds(pid):
    found = []
    for info in Path(f"/proc/{pid}/fdinfo").glob("*"):
        try:
            flags = int(re.search(r"^flags:\s+(\d+)", info.read_text(), re.M).group(1), 8)
        except (OSError, AttributeError):
            continue
        if flags & os.O_DSYNC:
            found.append(int(info.name))
    return found


def trace_points():
    events = Path("/sys/kernel/tracing")
    if not (events / "events").exists():
        subprocess.run(["mount", "-t", "tracefs", "tracefs", events], check=False)
    return (events / "events/syscalls").exists() and shutil.which("perf") is not None


def described():
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text()).group(1)
    kib = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1))
    return f"{os.cpu_count()} cores ({cpu}), {kib / 2**20:.0f} GiB, Linux {platform.release()}"
