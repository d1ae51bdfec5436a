"""An audience's platform that is busy or broken, or whose sender dies: who belongs is there, once, and nobody else."""

from itertools import count

import pytest

from tests.dagster_project.steps.activation.conftest import ALIYA, BORIS, DANA, email
from tests.scenarios.audience import AUDIENCE
from tests.scenarios.test_killed_while_delivering import STAGES


def addresses(*people):
    return set(map(email, people))


def recovers(audience):
    for _ in range(3):
        audience.delivers()
        audience.passes(minutes=16)


@pytest.fixture
def peopled(audience):
    """Aliya and Boris are there; Boris leaves and Dana comes, which nobody has told the platform yet."""
    audience.consists_of(ALIYA, BORIS)
    audience.delivers()
    assert audience.shows() == addresses(ALIYA, BORIS)
    audience.platform.sandbox.journal.clear()
    audience.consists_of(ALIYA, DANA)
    return audience


@pytest.mark.parametrize("fault", ["429", "500", "lost_reply", "cut"])
def test_after_a_while_of_trouble_everybody_is_where_he_belongs(peopled, fault):
    peopled.platform.sandbox.faults.set(fault)
    recovers(peopled)
    peopled.platform.sandbox.faults.clear()
    recovers(peopled)
    assert peopled.shows() == addresses(ALIYA, DANA)
    assert peopled.settled() == {ALIYA: "in_sync", BORIS: "excluded", DANA: "in_sync"}


@pytest.mark.parametrize("fault", ["429", "500"])
def test_what_the_platform_refused_for_a_while_waits_with_its_words(peopled, fault):
    peopled.platform.sandbox.faults.set(fault)
    peopled.delivers()
    assert peopled.shows() == addresses(ALIYA, BORIS)
    assert peopled.settled()[DANA] in ("pending", "unknown")
    assert peopled.states()[f"sofas/{DANA}"][1]


def test_a_reply_lost_after_an_addition_brings_nobody_in_twice(peopled):
    peopled.platform.sandbox.faults.set("lost_reply", match=peopled.network.joining, times=1)
    recovers(peopled)
    assert peopled.shows() == addresses(ALIYA, DANA)
    assert peopled.network.places(peopled.platform, AUDIENCE) == 1


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_whenever_the_sender_is_killed_nobody_is_lost_and_nobody_stays(audience, a_worker, stage):
    worker, shifts = a_worker(), [(ALIYA, BORIS), (BORIS, DANA), (DANA, ALIYA)]
    for time in count(1):
        people = shifts[time % 3]
        audience.platform.sandbox.journal.clear()
        audience.consists_of(*people)
        first = worker.delivers(audience, "segment.push", die=(stage, time))
        audience.has_handled(first["left"])
        recovers(audience)
        assert audience.shows() == addresses(*people), (stage, time)
        assert {one for one, state in audience.settled().items() if state == "in_sync"} == set(people), (stage, time)
        assert audience.network.places(audience.platform, AUDIENCE) == 1, (stage, time)
        if not first["killed"]:
            break
    assert time > 2, "it was killed at every such step of two requests"
