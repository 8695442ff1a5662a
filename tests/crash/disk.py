"""disk.py - a disk that remembers every write and flush, and the disks that a power cut could have left of it.

The way: a FUSE file (fuse_log.c) carries a loop device, that a journaled file system. Its log is a list of writes and
flushes in order. A cut is a place in the log. After a cut the disk holds every write before the last flush and any of those
after it, in pieces of 4 KiB: `Images` makes such disks, all writes kept or each piece dropped by a coin.
"""
import ctypes
import os
import struct
import subprocess
import time
from pathlib import Path

HEAD = struct.Struct("=8sqq")
BLOCK = 4096
SIZE = 640 << 20
MKFS = {"ext4": ["mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", "-J", "size=16"],
        "xfs": ["mkfs.xfs", "-q", "-f", "-K"]}
LIBC = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout.strip()


def missing(filesystem):
    """Why this machine cannot do it, or an empty string."""
    if os.geteuid() != 0:
        return "needs root"
    for device in ("/dev/fuse", "/dev/loop-control"):
        if not os.path.exists(device):
            return f"no {device}"
    for program in (MKFS[filesystem][0], "losetup", "mount"):
        if subprocess.run(["which", program], capture_output=True).returncode != 0:
            return f"no {program}"
    if subprocess.run(["losetup", "--find"], capture_output=True).returncode != 0:
        return "no free loop device"
    return ""


def detach(path):
    """Unmounts; lazily when somebody still looks."""
    for _ in range(100):
        if subprocess.run(["umount", str(path)], capture_output=True).returncode == 0 or not os.path.ismount(path):
            return
        time.sleep(0.02)
    LIBC.umount2(os.fsencode(path), MNT_DETACH)


class Mounted:
    """A file with a file system, mounted on a directory while the `with` lasts."""

    def __init__(self, filesystem, image, where):
        self.filesystem, self.image, self.where = filesystem, image, where
        self.loop = None

    def __enter__(self):
        self.loop = run("losetup", "--find", "--show", str(self.image))
        try:
            # the disk before may still be busy, and has the same UUID
            options = "nouuid" if self.filesystem == "xfs" else "defaults"
            run("mount", "-t", self.filesystem, "-o", options, self.loop, str(self.where))
        except OSError:
            self.release()
            raise
        return self

    def release(self):
        subprocess.run(["losetup", "-d", self.loop], capture_output=True)

    def __exit__(self, *_):
        detach(self.where)
        self.release()


class LoggedDisk:
    """The file system under test: a new one, or that of an image. position() is how much of the log there is now."""

    def __init__(self, filesystem, logger, work, where, image=None):
        self.filesystem, self.logger, self.work, self.where, self.image = filesystem, logger, Path(work), where, image
        self.base, self.back, self.log = (self.work / name for name in ("base.img", "back.img", "writes.log"))
        self.fuse = self.work / "fuse"
        self.mounted = self.process = None

    def __enter__(self):
        self.fuse.mkdir()
        self.make()
        run("cp", "--sparse=always", str(self.back), str(self.base))
        self.process = subprocess.Popen([self.logger, self.back, self.log, self.fuse, "-f", "-s"])
        try:
            self.wait_for_disk()
            self.mounted = Mounted(self.filesystem, self.fuse / "disk", self.where)
            self.mounted.__enter__()
        except BaseException:
            self.mounted = None
            self.__exit__()
            raise
        return self

    def make(self):
        if self.image is not None:
            run("cp", "--sparse=always", str(self.image), str(self.back))
            return
        with open(self.back, "wb") as f:
            f.truncate(SIZE)
        run(*MKFS[self.filesystem], str(self.back))

    def wait_for_disk(self):
        for _ in range(250):
            if (self.fuse / "disk").exists():
                return
            time.sleep(0.02)
        raise OSError("the FUSE disk did not appear")

    def sync(self):
        fd = os.open(self.where, os.O_RDONLY)
        failed = LIBC.syncfs(fd)
        os.close(fd)
        if failed:
            raise OSError("syncfs")

    def position(self):
        return os.stat(self.log).st_size

    def __exit__(self, *_):
        if self.mounted is not None:
            self.mounted.__exit__()
        detach(self.fuse)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Record:
    __slots__ = ("begin", "end", "kind", "at", "n")

    def __init__(self, begin, kind, at, n):
        self.begin, self.kind, self.at, self.n = begin, kind, at, n
        self.end = begin + HEAD.size + (n if kind == b"W" else 0)


def read_records(path):
    records, at, size = [], 0, os.stat(path).st_size
    with open(path, "rb") as f:
        while at + HEAD.size <= size:
            f.seek(at)
            kind, offset, n = HEAD.unpack(f.read(HEAD.size))
            records.append(Record(at, kind.rstrip(b"\0"), offset, n))
            at = records[-1].end
    return records


class Images:
    """Disks after power cuts, in ascending order of the cut."""

    def __init__(self, disk):
        self.log = open(disk.log, "rb")
        self.records = read_records(disk.log)
        self.flushed = disk.work / "flushed.img"   # everything up to the last flush before the cut
        self.image = disk.work / "image.img"
        run("cp", "--sparse=always", str(disk.base), str(self.flushed))
        self.done = 0

    def data(self, record):
        self.log.seek(record.begin + HEAD.size)
        return self.log.read(record.n)

    def apply(self, fd, records, keeps):
        for record in records:
            if record.kind != b"W":
                continue
            data = self.data(record)
            for start in range(0, record.n, BLOCK) if keeps else (0,):
                piece = data[start:start + BLOCK] if keeps else data
                if not keeps or keeps():
                    os.pwrite(fd, piece, record.at + start)

    def flush_to(self, end):
        fd = os.open(self.flushed, os.O_RDWR)
        try:
            self.apply(fd, self.records[self.done:end], None)
        finally:
            os.close(fd)
        self.done = max(self.done, end)

    def make(self, cut, keeps=None):
        """The disk after a cut at this place of the log. keeps() says of each unflushed piece whether it arrived; None: all.
        Cuts must not fall from call to call."""
        whole = sum(1 for r in self.records if r.end <= cut)
        last_flush = max((i + 1 for i in range(whole) if self.records[i].kind == b"F"), default=0)
        self.flush_to(last_flush)
        run("cp", "--sparse=always", str(self.flushed), str(self.image))
        fd = os.open(self.image, os.O_RDWR)
        try:
            self.apply(fd, self.records[last_flush:whole], keeps)
        finally:
            os.close(fd)
        return self.image

    def flush_ends(self):
        return [r.end for r in self.records if r.kind == b"F"]

    def close(self):
        self.log.close()
