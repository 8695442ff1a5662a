"""A Maildir of any size, the same at every run: threads, sizes from 1 to 50 KiB, flags, dates, a quarter with attachments."""

import os
import random
from email.utils import formatdate

LARGEST_KIB = 50
BEGAN = 1_600_000_000  # the first message, seconds since 1970
STEP = 37  # seconds to the next
RARE = "quizzaciously"  # in the text of every thousandth message
COMMON = "harvest"  # in the subject of about every fiftieth thread
FLAGS = ("", "S", "S", "S", "RS", "FS", "S", "")
WORDS = ("annual budget cable delta engine forward garden hotel invoice journal kitchen letter meeting number office paper question report "
         "summer travel update village window yellow zebra answer bridge carrier dinner effort figure ground").split()


class Pool:
    """Text that bodies are cut from; cutting costs nothing beside writing the file."""

    def __init__(self, rng):
        lines = (" ".join(rng.choices(WORDS, k=10)) for _ in range(8000))
        self.text = ("\r\n".join(lines) + "\r\n").encode()
        base64 = "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=76 * 4000))
        self.base64 = ("\r\n".join(base64[i:i + 76] for i in range(0, len(base64), 76)) + "\r\n").encode()

    @staticmethod
    def cut(block, rng, size):
        at = block.index(b"\n", rng.randrange(len(block) - size - 200)) + 1
        return block[at:block.index(b"\n", at + size) + 1]


def person(n):
    return f"{WORDS[n % 32].title()} {WORDS[n * 7 % 32].title()} <p{n}@{WORDS[n * 3 % 32]}.test>"


class Letters:
    """Gives (name, flags, seconds, bytes) of each message in turn. The names are such as postern gives its deliveries, and mean nothing to
    Dovecot: of files with other names postern would first make sure that they are on the disk, one by one."""

    def __init__(self, count, seed=5256, largest=LARGEST_KIB):
        self.count = count
        self.largest = largest
        self.rng = random.Random(seed)
        self.pool = Pool(self.rng)
        self.open = []  # threads that may get a reply: [subject, Message-IDs]

    def thread(self, n):
        rng = self.rng
        if self.open and rng.random() < 0.6:
            subject, ids = rng.choice(self.open)
            return "Re: " + subject, ids
        words = rng.choices(WORDS, k=4)
        if rng.random() < 0.02:
            words[1] = COMMON
        found = [f"{' '.join(words)} {n}", []]
        self.open.append(found)
        del self.open[:-500]
        return found

    def head(self, n, when):
        subject, ids = self.thread(n)
        own = f"<{n}.{self.rng.getrandbits(40):010x}@letters.test>"
        lines = [f"Return-Path: <p{n % 211}@letters.test>", f"Received: from a.test by b.test with ESMTPS id {n}; {formatdate(when)}",
                 f"From: {person(n % 211)}", f"To: {person(n % 17)}, {person(n % 53)}", f"Subject: {subject}",
                 f"Date: {formatdate(when - 60)}",
                 f"Message-ID: {own}", "MIME-Version: 1.0"]
        if ids:
            lines += [f"In-Reply-To: {ids[-1]}", "References: " + "\r\n ".join(ids[-12:])]
        ids.append(own)
        return "\r\n".join(lines).encode()

    def body(self, n, size):
        rare = f"The {RARE} written line.\r\n".encode() if n % 1000 == 500 else b""
        text = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
        if n % 4 != 3:
            return text + rare + self.pool.cut(self.pool.text, self.rng, size)
        part = f"--part{n}".encode()
        return (f'Content-Type: multipart/mixed; boundary="part{n}"\r\n\r\n'.encode() + part + b"\r\n" + text + rare +
                self.pool.cut(self.pool.text, self.rng, size // 4) + part +
                b'\r\nContent-Type: application/pdf; name="a.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n' +
                self.pool.cut(self.pool.base64, self.rng, size * 3 // 4) + part + b"--\r\n")

    def __iter__(self):
        for n in range(1, self.count + 1):
            when = BEGAN + STEP * n
            size = int(1024 * self.largest ** self.rng.random())
            text = self.head(n, when) + b"\r\n" + self.body(n, size)
            yield f"{when}.M{n % 1000000:06d}I{n:024d}00.letters,S={len(text)}", self.rng.choice(FLAGS), when, text


def make_maildir(path, owner):
    """The directories of an empty Maildir and those above it that are missing."""
    missing = [d for d in reversed(path.parents) if not d.exists()]
    for d in [*missing, path, *(path / sub for sub in ("cur", "new", "tmp"))]:
        d.mkdir(mode=0o700)
        os.chown(d, owner, owner)


def fill(places, count, seed=5256, largest=LARGEST_KIB):
    """Writes the same messages into the Maildir of every (path, owner), with their flags, in cur/."""
    for path, owner in places:
        make_maildir(path, owner)
    for base, flags, when, text in Letters(count, seed, largest):
        for path, owner in places:
            name = f"{path}/cur/{base}:2,{flags}"
            fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(fd, text)
            os.fchown(fd, owner, owner)
            os.close(fd)
            os.utime(name, (when, when))


def link_as_new(source, path, owner):
    """A Maildir with the messages of another one as they are when just delivered: in new/, without flags."""
    make_maildir(path, owner)
    with os.scandir(source / "cur") as entries:
        for entry in entries:
            os.link(entry.path, path / "new" / entry.name.partition(":")[0])
