"""powercut.py - a server at work on a disk that remembers, then every disk that a power cut could have left, and what
must be on it.

   python3 powercut.py [--filesystem ext4|xfs] [--seconds N] [--images N] [--seed N] [--way WAY] [--guests]     by hand: one run
   python3 powercut.py --results FILE [--pieces N]           many, of both file systems; what FILE has already is not run again
   test_powercut.py                                          from ./test crash

The work: cut_mail.py and cut_reader.py. The checker: cut_check.py.
"""
import argparse
import collections
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("lib", "e2e")]
from cut_check import Found, Inspection, compare  # noqa: E402
from cut_guests import LENT, OWNER  # noqa: E402
from cut_mail import USERS, Workload  # noqa: E402
from disk import Images, LoggedDisk, Mounted  # noqa: E402
from history import History  # noqa: E402
import postern_site as sites  # noqa: E402

CONF = """auth {{ hash_memory = 64K hash_passes = 1 }}
store {{ processes = {stores} }}
smtp {{ processes = 1 }}
imap {{ processes = 1 shared = {shared} }}
route "*" {{ to = "127.0.0.1:{port}" tls = none }}
"""
# What there is of the writes after the last flush before the cut: all, none, or each piece by a coin. A cut at a flush has none.
KEEPS = {"flush": None, "all": None, "none": lambda rng: lambda: False, "subset": lambda rng: lambda: rng.random() < 0.5}
RECOVERED = "recovery"   # a disk on which the server was started, and was cut there again
RECOVERY_EVERY = 6       # one disk in so many,
RECOVERY_CUTS = 3        # and so many cuts of its recovery


def choose_cuts(history, images, begin, n, rng):
    """[(place, kind)]: just after acknowledgements, at flushes, and anywhere; ascending."""
    told = [place for place in history.acknowledged() if place > begin]
    flushes = [place for place in images.flush_ends() if place > begin]
    ends = [record.end for record in images.records if record.end > begin]
    cuts = {(ends[-1], "all")}
    while len(cuts) < min(n, len(set(ends))):
        kind = rng.choices(tuple(KEEPS), (2, 2, 2, 6))[0]
        places = flushes if kind == "flush" else told if rng.random() < 0.5 and told else ends
        cuts.add((rng.choice(places), kind))
    return sorted(cuts)


def every_flush(images, begin, n):
    """Each flush, or n of them with the same distance."""
    flushes = [place for place in images.flush_ends() if place > begin]
    n = min(n or len(flushes), len(flushes))
    return [(flushes[i * len(flushes) // n], "flush") for i in range(n)]


def worst_cuts(history, begin, n, kind):
    """Just after acknowledgements, spread over the run, or after the first ones of a kind: with everything lost that no flush kept."""
    told = [place for place in history.acknowledged(kind) if place > begin]
    chosen = told[:n] if kind else [told[(i + 1) * len(told) // n - 1] for i in range(n) if told]
    return sorted({(place, "none") for place in chosen})


class Run:
    """way: how cuts are chosen, "mixed", "flushes" or "worst": what a missing flush shows in, up to the first that does; kind: after
    changes of which subjects (history.py), any unless given. images: how many; 0: each flush. large: how many messages are large.
    guests: with mailboxes that are lent, which takes one store; without, there are two."""

    def __init__(self, filesystem="ext4", program=None, logger=None, seconds=4, images=15, seed=1, way="mixed", large=0.07, guests=False, kind=None):
        self.filesystem, self.seconds, self.images, self.seed, self.way, self.large = filesystem, seconds, images, seed, way, large
        self.kind = kind
        self.guests, self.users, self.lent = guests, (*USERS, OWNER) if guests else USERS, LENT if guests else ()
        self.program = Path(program or sites.PROGRAM)
        self.logger = logger or self.program.parent / "tests/crash/fuse_log"
        self.rng = random.Random(seed)
        self.cuts = []            # (cut, kind, [what is wrong])
        self.counts = {}
        self.flushes = 0
        self.seconds_per_image = 0.0

    def run(self):
        memory = Path("/dev/shm")
        where = memory if memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30 else None
        self.work = Path(tempfile.mkdtemp(prefix="postern-cut-", dir=where))
        self.mount = Path(tempfile.mkdtemp(prefix="postern-cut-"))
        self.mount.chmod(0o755)
        try:
            self.run_in()
        finally:
            shutil.rmtree(self.work, ignore_errors=True)
            self.mount.rmdir()
        return [found for found in self.cuts if found[2]]

    def run_in(self):
        self.site = None
        ports = sites.free_ports(1)
        try:
            with LoggedDisk(self.filesystem, self.logger, self.work, self.mount) as disk:
                history, begin = self.work_on(disk, ports[0])
            self.check_images(disk, history, begin)
        finally:
            if self.site is not None:
                self.site.kill()
                sites.give_back_ports(self.site.ports.values())
            sites.give_back_ports(ports)

    def conf(self, port):
        return CONF.format(port=port, stores=1 if self.guests else 2, shared="yes" if self.guests else "no")

    def work_on(self, disk, port):
        self.mount.chmod(0o755)
        self.site = site = sites.Site(self.users, extra=self.conf(port), where=self.mount, program=self.program)
        site.log_path = self.work / "postern.log"
        try:
            site.start()
            disk.sync()   # the configuration, which nobody promised to keep
            history = History(disk.position)
            begin = disk.position()
            load = Workload(site, history, port, self.seconds, self.seed, self.large, self.guests)
            load.run()
        finally:
            site.kill()
            time.sleep(0.3)   # the children end with their parent
        if load.errors:
            raise AssertionError("\n".join(load.errors) + "\n" + site.log_tail())
        self.counts, self.missed = load.counts, load.missed()
        return history, begin

    def choose(self, history, images, begin):
        if self.way == "flushes":
            return every_flush(images, begin, self.images)
        return worst_cuts(history, begin, self.images, self.kind) if self.way == "worst" else choose_cuts(history, images, begin, self.images, self.rng)

    def check_images(self, disk, history, begin):
        images = Images(disk)
        began = time.monotonic()
        self.flushes = sum(place > begin for place in images.flush_ends())
        for i, (cut, kind) in enumerate(self.choose(history, images, begin)):
            keeps = KEEPS[kind]
            image = images.make(cut, keeps and keeps(self.rng))
            if self.way == "mixed" and i % RECOVERY_EVERY == RECOVERY_EVERY - 1:
                self.check_recovery(image, history, cut)
            self.note(cut, kind, self.check_image(image, history, cut))
            if self.way == "worst" and self.cuts[-1][2]:
                break
        images.close()
        self.seconds_per_image = (time.monotonic() - began) / max(1, len(self.cuts))

    def note(self, cut, kind, wrong):
        self.cuts.append((cut, kind, wrong))

    def check_image(self, image, history, cut):
        """The server on that disk. It works on it: the image is not what it was before."""
        found = Found()
        try:
            with Mounted(self.filesystem, image, self.mount):
                try:
                    self.site.start()
                    Inspection(self.site, found, history.sizes, lambda name: history.passwords(name, cut), self.lent).read()
                finally:
                    self.site.kill()
                    time.sleep(0.1)
        except Exception as e:  # whatever the checker stumbles over is wrong with the disk
            return found.faults + [f"the disk could not be read: {type(e).__name__}: {e}"]
        return compare(history, cut, found)

    def check_recovery(self, image, history, cut):
        """The power comes back, the server starts and puts in order what it finds, and the power fails again."""
        work = self.work / RECOVERED
        work.mkdir()
        try:
            with LoggedDisk(self.filesystem, self.logger, work, self.mount, image) as disk:
                self.recover()
            again = Images(disk)
            ends = [record.end for record in again.records]
            for place in sorted(self.rng.sample(ends, min(RECOVERY_CUTS, len(ends)))):
                cut_again = again.make(place, KEEPS["subset"](self.rng))
                self.note(cut, RECOVERED, self.check_image(cut_again, history, cut))
            again.close()
        except Exception as e:
            self.note(cut, RECOVERED, [f"the disk could not be recovered: {type(e).__name__}: {e}"])
        finally:
            shutil.rmtree(work)

    def recover(self):
        """Whatever a start and the first look at each user's mail set going."""
        try:
            self.site.start()
            for user in self.users:
                client = self.site.imap(user)
                client.select("INBOX")
                client.logout()
            time.sleep(0.3)
        finally:
            self.site.kill()
            time.sleep(0.1)


# -- many runs

MIXED = {"seconds": 2, "images": 60, "way": "mixed"}
FLUSHES = {"seconds": 1, "images": 0, "way": "flushes"}


def pieces(n):
    """A run of each file system in which every flush is cut, then n of each with cuts of all kinds, every other with guests."""
    for seed in range(n + 1):
        for filesystem in ("ext4", "xfs"):
            yield {"filesystem": filesystem, "seed": seed, "guests": seed % 2 == 1, **(MIXED if seed else FLUSHES)}


def run_piece(piece, **tools):
    run = Run(**piece, **tools)
    bad = run.run()
    kinds = collections.Counter(kind for _, kind, _ in run.cuts)
    return {**piece, "disks": kinds, "violations": collections.Counter(kind for _, kind, _ in bad), "flushes": run.flushes,
            "seconds_per_image": round(run.seconds_per_image, 2), "work": run.counts, "wrong": [(c, k, w[:10]) for c, k, w in bad[:20]]}


def run_pieces(results, n, **tools):
    done = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    have = {(d["filesystem"], d["seed"]) for d in done}
    for piece in pieces(n):
        if (piece["filesystem"], piece["seed"]) not in have:
            done.append(run_piece(piece, **tools))
            with open(results, "a") as out:
                print(json.dumps(done[-1]), file=out)
    return done


def table(done):
    """Disks and violations by file system and kind, as docs/durability.md has them."""
    sums = collections.defaultdict(collections.Counter)
    for piece in done:
        for kind in piece["disks"]:
            sums[piece["filesystem"], kind].update(disks=piece["disks"][kind], violations=piece["violations"].get(kind, 0))
    lines = [f"| {name} | {kind} | {s['disks']} | {s['violations']} |" for (name, kind), s in sorted(sums.items())]
    disks = sum(s["disks"] for s in sums.values())
    seconds = sum(p["seconds_per_image"] * sum(p["disks"].values()) for p in done) / max(1, disks)
    return "\n".join([*lines, f"| all | | {disks} | {sum(s['violations'] for s in sums.values())} |", f"{seconds:.2f} s a disk"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filesystem", default="ext4", choices=("ext4", "xfs"))
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--images", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--way", default="mixed", choices=("mixed", "flushes", "worst"))
    parser.add_argument("--guests", action="store_true")
    parser.add_argument("--program")
    parser.add_argument("--logger")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--pieces", type=int, default=15)
    options = vars(parser.parse_args())
    results, n = options.pop("results"), options.pop("pieces")
    tools = {name: options.pop(name) for name in ("program", "logger")}
    done = run_pieces(results, n, **tools) if results else [run_piece(options, **tools)]
    for piece in done:
        for cut, kind, wrong in piece["wrong"]:
            print(f"{piece['filesystem']}, seed {piece['seed']}, cut at {cut}, {kind}:", *wrong, sep="\n  ")
    if not results:
        print(done[0]["work"])
    print(table(done))
    return 1 if any(piece["wrong"] for piece in done) else 0


if __name__ == "__main__":
    sys.exit(main())
