"""Cadence per connection and resource, and the nights. All are on from the start: a hub runs."""

from dagster import DefaultScheduleStatus, ScheduleDefinition

from dagster_project.automation.jobs import Jobs
from dagster_project.connections import Hub

READ_ALL = "20 3 * * *"
DECIDE_ALL = "20 4 * * *"
"""An hour later; whatever is not read by then is decided when it comes."""


def schedules(hub: Hub, jobs: Jobs) -> list[ScheduleDefinition]:
    """One per cadence of each connection and one per night of it; at last `nightly`. Times are of the hub's zone."""
    pulls = [(job, cron) for by_cadence in jobs.pulls.values() for cron, job in by_cadence.items()]
    nights = [(job, READ_ALL) for job in jobs.nights.values()]
    return [
        ScheduleDefinition(
            name=f"{job.name}_schedule",
            job=job,
            cron_schedule=cron,
            execution_timezone=hub.entry.timezone,
            default_status=DefaultScheduleStatus.RUNNING,
        )
        for job, cron in (*pulls, *nights, (jobs.nightly, DECIDE_ALL))
    ]
