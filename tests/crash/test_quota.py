"""A quota of the file system that runs out under the whole server: "later" in words, nothing is lost, and when there is room again all
goes on by itself."""
import contextlib
import os

import pytest

import quota
from load import BROKEN, Load
from postern_site import CHEAP_HASHES, NOWHERE, Site
from test_disk import append_is_refused, code_of_a_delivery

USERS = ("alice", "bob")
MORE = 512 << 10  # bytes that are left
MANY = 200
LONG = os.environ.get("POSTERN_LONG")
TIMES = 3 if LONG else 1
HEALTHY_SECONDS = 60  # what ended again and again starts after a pause
# a database's lock is mapped, and where a page has to be copied before it is written it needs room: in the middle, or at the start
LOCKS_WITHOUT_ROOM = {"killed by signal 7 (Bus error)", "ended with status 1"}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


@pytest.fixture(params=list(quota.KINDS) if LONG else ["btrfs"])
def disk(request):
    made = quota.KINDS[request.param]()
    try:
        made.__enter__()
    except OSError as e:
        pytest.skip(f"no quota on {request.param} here: {e}")
    yield made
    made.__exit__()


def refused_at_last(load):
    """The code of the delivery that finds no room."""
    for _ in range(MANY):
        for user in USERS:
            code = code_of_a_delivery(load, user)
            if code != 250:
                return code
    return 250


def tries_the_rest(load):
    with contextlib.suppress(*BROKEN):
        submits(load)
    with contextlib.suppress(*BROKEN):
        for _ in range(MANY):
            if append_is_refused(load, "bob")[0]:
                return


def submits(load):
    before = len(load.owed)
    with contextlib.suppress(*BROKEN):
        load.submit("alice")
    return len(load.owed) > before


def owners(site):
    """The users of the system that the roles run as."""
    return {os.stat(f"/proc/{pid}").st_uid for role in ("store", "queue", "auth") for pid in site.pids(role)}


def all_goes_on(site, load):
    site.wait_for(lambda: site.json("status")["healthy"], HEALTHY_SECONDS, "all processes")
    site.wait_for(lambda: all(code_of_a_delivery(load, user) == 250 for user in USERS), HEALTHY_SECONDS, "mail to be taken again")
    site.wait_for(lambda: not append_is_refused(load, "bob")[0], HEALTHY_SECONDS, "APPEND to work again")
    site.wait_for(lambda: submits(load), HEALTHY_SECONDS, "submissions to be taken again")


def test_k05_quota_runs_out_and_is_raised(disk):
    with Site(users=(), extra=CHEAP_HASHES + "\nlimits { disk_reserve = 0 }\n" + NOWHERE) as site:  # its log is elsewhere
        site.state = disk.place / "state"
        site.certificate = site.state / "keys/self-signed.pem"
        site.write_conf()
        for user in USERS:
            site.add_user(user)
        site.start()
        load = Load(site, USERS, workers=())
        all_goes_on(site, load)
        users = owners(site)
        for _ in range(TIMES):
            disk.limit(MORE, users)
            assert refused_at_last(load) in ((0, 451, 452) if disk.COPIES else (451, 452))
            tries_the_rest(load)
            disk.lift(users)
            all_goes_on(site, load)
            load.check()
        for user in USERS:
            assert site.postern("store", "check", f"{user}@example.test", check=False).returncode == 0, site.log_tail()
        assert "Disk quota exceeded" in site.log_path.read_text(errors="replace")
        assert {e["why"] for e in site.events("exit")} <= (LOCKS_WITHOUT_ROOM if disk.COPIES else set())
        assert not site.events("panic")
        assert site.stop() == 0
