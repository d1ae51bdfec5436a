"""How many of a segment's members may be written to is measured every day, and a fall is seen."""

import pytest
from dagster import AssetCheckSeverity, AssetSelection, DagsterInstance, materialize

from dagster_project import clock
from dagster_project.factories import segments
from dagster_project.factories.segments import key, segment_assets
from dagster_project.segment_files import segment
from dagster_project.steps.people.coverage import covered
from tests.dagster_project.steps.activation.conftest import ALIYA, BORIS, DANA, Circle


def measured(circle: Circle):
    return covered(circle.store, circle.hub, segment(circle.hub, "sofas"), now=circle.now)


def test_a_fall_is_told_and_is_told_once_it_lasts_no_more(circle):
    circle.enter("sofas", ALIYA, BORIS)
    circle.enter("sofas", DANA, hold_out=True)
    circle.agree(ALIYA, BORIS, DANA)
    [first] = measured(circle)
    assert (first.channel, first.members, first.reachable, first.before, first.fell) == ("email", 2, 2, None, False)
    circle.passes(days=1)
    circle.says(BORIS, "refused")
    [next_] = measured(circle)
    assert (next_.share, next_.before, next_.fell) == (0.5, 1.0, True)
    [again] = measured(circle)
    assert again.fell, "the same day is measured against the day before"
    circle.passes(days=1)
    [later] = measured(circle)
    assert (later.before, later.fell) == (0.5, False)


def test_a_segment_of_whom_nobody_agreed_is_told_from_its_first_day(circle):
    circle.enter("sofas", ALIYA)
    assert [one.fell for one in measured(circle)] == [True]


def test_what_is_not_live_or_reaches_nobody_is_not_measured(circle):
    circle.enter("sofas", ALIYA)
    circle.reaches = None
    assert measured(circle) == []
    circle.reaches = "email"
    circle.say("update segment.definition set live_since = null")
    assert measured(circle) == []


@pytest.fixture
def checked(circle: Circle, monkeypatch: pytest.MonkeyPatch):
    """The asset check of the run that evaluates the segment; who is in it is said by the test."""
    monkeypatch.setattr(clock, "now", lambda: circle.now)
    for evaluates in ("identify_due", "segments_due"):
        monkeypatch.setattr(segments, evaluates, lambda *_, **__: None)

    def run():
        with DagsterInstance.ephemeral() as instance:
            done = materialize(segment_assets(circle.hub), selection=AssetSelection.assets(key("sofas")),
                               instance=instance)  # fmt: skip
        return next(one for one in done.get_asset_check_evaluations() if one.check_name == "consent_coverage")

    return run


def test_a_fall_is_a_warning_beside_the_segment(circle, checked):
    circle.enter("sofas", ALIYA, BORIS)
    circle.agree(ALIYA, BORIS)
    assert checked().passed
    circle.passes(days=1)
    circle.says(BORIS, "refused")
    found = checked()
    assert (found.passed, found.severity) == (False, AssetCheckSeverity.WARN)
    assert (found.metadata["email_share"].value, found.metadata["email_before"].value) == (0.5, 1.0)
