"""As in a container: process 1 of its own, fewer capabilities, an ordinary user."""
import os
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to take rights away")


def works(site):
    assert site.submit("alice", ["bob"], "From: alice@example.test\r\nSubject: in a box\r\n\r\nhello\r\n") == {}
    assert len(site.inbox("bob", 1)) == 1


def test_without_the_right_to_close_a_root(make_site):
    """What is not allowed is gone without, said once and shown."""
    site = make_site(start=False)
    site.start(wrapper=["setpriv", "--bounding-set", "-sys_admin,-sys_chroot", "--inh-caps", "-sys_admin,-sys_chroot"])
    without = site.json("status")["gone_without"]
    assert "closed root" in without and "network namespace" in without
    assert len(site.events("sandbox")) == 1
    works(site)


def test_with_all_rights_nothing_is_gone_without(make_site):
    site = make_site()
    if subprocess.run(["unshare", "--net", "true"], check=False).returncode != 0:
        pytest.skip("this machine gives no network namespaces")
    assert site.json("status")["gone_without"] is None
    works(site)


def test_as_process_one(make_site):
    """PID 1 of its namespace; `unshare` outside does not pass signals on, the command does."""
    box = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.run([*box, "true"], check=False).returncode != 0:
        pytest.skip("this machine gives no PID namespaces")
    site = make_site(start=False)
    site.start(wrapper=box)
    works(site)
    site.postern("stop")
    assert site.process.wait(20) == 0
