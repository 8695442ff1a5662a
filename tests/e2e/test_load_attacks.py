"""Attacks that are made of quantity (siege.py): a user who works meanwhile is served all the time, each time within a generous limit;
bench/attack.py measures how fast. Nothing crashes, and the attack did strike."""
import pytest

import attack
import siege
from postern_site import PATIENCE

SECONDS = 2     # of each attack
LIMIT = 10      # for one login, one look at a message, one delivery


@pytest.fixture(scope="module")
def site():
    with attack.site(siege.CONF, users=siege.USERS) as one:
        siege.Neighbour(one.start()).work(0.5)
        yield one


@pytest.mark.parametrize("how", siege.ATTACKS, ids=lambda how: how.__name__)
def test_others_are_served(site, how):
    user = siege.Neighbour(site)
    with siege.Siege(site, how) as enemy:
        user.work(SECONDS)
    assert enemy.strikes > 0, "the attack did nothing"
    assert not user.failures, user.failures[:3]
    slowest = {what: max(times) for what, times in user.times.items()}
    assert max(slowest.values()) < LIMIT * PATIENCE, slowest
    attack.assert_sound(site)
