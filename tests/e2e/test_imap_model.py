"""Several sessions and deliveries act at random on an account's mailboxes, and a model (imap_model.py) foretells what each session is told. What fails
is made shorter by leaving out operations, and printed; such a script is run again by

    /usr/bin/python3 tests/e2e/test_imap_model.py SCRIPT [GUESTS]"""
import itertools
import os
import random
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from imap_account import Account
from postern_site import PATIENCE

WEIGHTS = {"fetch": 10, "body": 3, "store": 14, "expunge": 6, "copy": 4, "move": 4, "append": 8, "deliver": 2, "search": 5, "status": 3, "noop": 6,
           "rights": 2, "select": 8, "close": 1, "create": 3, "delete": 1, "idle": 4, "drop": 5, "resync": 8}
LONG = bool(os.environ.get("POSTERN_LONG"))
SECONDS = 300 if LONG else 15
SHRINK_SECONDS = 60
users = itertools.count(1)


def chosen(seed, n):
    rng = random.Random(seed)
    return [(rng.randrange(12), *rng.choices(list(WEIGHTS), list(WEIGHTS.values())), *(rng.randrange(1000) for _ in range(3))) for _ in range(n)]


def attempt(site, operations, guests):
    """(what was wrong or None, the script) with an account of its own, and so many guests."""
    names = [f"m{next(users)}" for _ in range(1 + guests)]
    for name in names:
        site.add_user(name)
    account = Account(site, names[0], names[1:])
    try:
        account.run(operations)
    except Exception as e:  # whatever goes wrong is made shorter
        return f"{type(e).__name__}: {e}", account.script
    finally:
        account.close()
    return None, account.script


def shorter(site, operations, wrong, script, guests):
    """Leaves out as much as possible while it still fails in the same way."""
    kind, end, size = wrong.split(":")[0], time.monotonic() + SHRINK_SECONDS * PATIENCE, len(operations) // 2
    while size > 0 and time.monotonic() < end:
        at = 0
        while at < len(operations) and time.monotonic() < end:
            fewer = operations[:at] + operations[at + size:]
            still, text = attempt(site, fewer, guests)
            if still and still.split(":")[0] == kind:
                operations, wrong, script = fewer, still, text
            else:
                at += size
        size //= 2
    return wrong, script


def check(site, operations, guests=0):
    wrong, script = attempt(site, operations, guests)
    if wrong:
        wrong, script = shorter(site, operations, wrong, script, guests)
        pytest.fail("\n".join([*script, wrong]), pytrace=False)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_i26_every_answer_is_as_foretold(make_site, seed):
    site = make_site(users=())
    end, part = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        part += 1
        check(site, chosen(f"{seed}-{part}", 400))


SHARED = "store { processes = 1 }\nimap { shared = yes }\n"


@pytest.mark.parametrize("seed", [1, 2])
def test_guests_are_told_as_foretold(make_site, seed):
    """Two of the sessions are other users' (RFC 4314): each has a \\Seen of his own, and loses his rights now and then."""
    from conftest import CHEAP_HASHES
    site = make_site(users=(), extra=CHEAP_HASHES + SHARED)
    end, part = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        part += 1
        check(site, chosen(f"guests-{seed}-{part}", 400), guests=2)


def main(path, guests=0):
    from conftest import CHEAP_HASHES
    from postern_site import Site
    lines = [line.split() for line in Path(path).read_text().splitlines() if line and line[0].isdigit()]
    with Site(users=(), extra=CHEAP_HASHES + (SHARED if guests else "")) as site:
        wrong, script = attempt(site.start(), [(int(who), what, *map(int, abc)) for who, what, *abc in lines], guests)
    print("\n".join(script), wrong or "nothing is wrong", sep="\n")
    return wrong is not None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int((sys.argv[2:] or ["0"])[0])))
