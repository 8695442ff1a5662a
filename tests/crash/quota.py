"""quota.py - disks whose quota runs out: a loop device with btrfs, where a subvolume has a limit, or with ext4, where users have one."""
import ctypes
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import disk
import unpacked

SIZE = 512 << 20
QUOTACTL, SET_USERS_QUOTA, BLOCKS_COUNT, UNIT = 179, 0x80000800, 1, 1024  # quotactl(2) on x86-64: Q_SETQUOTA of USRQUOTA; QIF_BLIMITS
DQBLK = struct.Struct("=8QI4x")


class Disk:
    """Mounted while the `with` lasts; OSError: this machine cannot do it. place: a directory under the quota.
    COPIES: a page that is overwritten needs room, too."""

    def __init__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="postern-quota-"))
        self.dir.chmod(0o755)
        self.image, self.root = self.dir / "image", self.dir / "disk"
        self.root.mkdir()
        with open(self.image, "wb") as f:
            f.truncate(SIZE)

    def __enter__(self):
        try:
            self.make()
            disk.run("mount", "-o", f"loop,{self.OPTIONS}", str(self.image), str(self.root))
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if os.path.ismount(self.root):
            disk.detach(self.root)
        shutil.rmtree(self.dir)

    def begin(self):
        self.place = self.root


class Btrfs(Disk):
    OPTIONS, COPIES = "noatime", True

    def tool(self, name, *words):
        """Installed, or unpacked."""
        program, environment = shutil.which(name), dict(os.environ)
        if program is None:
            files = unpacked.files("btrfs")
            program = next(path for path in (files / "bin" / name, files / "sbin" / name) if path.exists())
            environment["LD_LIBRARY_PATH"] = str(files / "usr/lib/x86_64-linux-gnu")
        done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            raise OSError(f"{name}: {done.stderr.strip()}")
        return done.stdout

    def make(self):
        self.tool("mkfs.btrfs", "-q", self.image)

    def begin(self):
        self.place = self.root / "limited"
        self.tool("btrfs", "subvolume", "create", self.place)
        self.tool("btrfs", "quota", "enable", self.root)

    def used(self):
        """What was not written yet does not count."""
        os.sync()
        rows = self.tool("btrfs", "qgroup", "show", "-r", "-f", "--raw", self.place).splitlines()
        return int(rows[-1].split()[1])

    def limit(self, more, _):
        self.tool("btrfs", "qgroup", "limit", self.used() + more, self.place)

    def lift(self, _):
        self.tool("btrfs", "qgroup", "limit", "none", self.place)


class Ext4(Disk):
    OPTIONS, COPIES = "usrquota", False

    def make(self):
        disk.run("mkfs.ext4", "-q", "-F", "-O", "quota", "-E", "quotatype=usrquota", str(self.image))

    def set(self, user, size):
        """In units of 1 KiB; 0: as much as there is."""
        device = disk.run("findmnt", "-n", "-o", "SOURCE", str(self.root))
        wanted = ctypes.create_string_buffer(DQBLK.pack(-(-size // UNIT), 0, 0, 0, 0, 0, 0, 0, BLOCKS_COUNT))
        if disk.LIBC.syscall(QUOTACTL, ctypes.c_uint(SET_USERS_QUOTA), device.encode(), user, wanted) != 0:
            raise OSError(ctypes.get_errno(), "quotactl")

    def used(self, user):
        """All that is his, in blocks."""
        stats = (path.lstat() for path in self.root.glob("**/*"))
        return sum(st.st_blocks * 512 for st in stats if st.st_uid == user)

    def limit(self, more, users):
        os.sync()
        for user in users:
            self.set(user, self.used(user) + more)

    def lift(self, users):
        for user in users:
            self.set(user, 0)


KINDS = {"btrfs": Btrfs, "ext4": Ext4}
