"""Cadence per connection and resource, and the nightly full run. All are on from the start: a hub runs."""

from dagster import DefaultScheduleStatus, ScheduleDefinition

from dagster_project.automation.jobs import Jobs
from dagster_project.connections import Hub


def schedules(hub: Hub, jobs: Jobs) -> list[ScheduleDefinition]:
    """One per cadence of each connection, and `nightly` at 03:20 of the hub's zone."""
    made = [
        ScheduleDefinition(
            name=f"{job.name}_schedule",
            job=job,
            cron_schedule=cron,
            execution_timezone=hub.entry.timezone,
            default_status=DefaultScheduleStatus.RUNNING,
        )
        for by_cadence in jobs.pulls.values()
        for cron, job in by_cadence.items()
    ]
    nightly = ScheduleDefinition(
        name="nightly_schedule",
        job=jobs.nightly,
        cron_schedule="20 3 * * *",
        execution_timezone=hub.entry.timezone,
        default_status=DefaultScheduleStatus.RUNNING,
    )
    return [*made, nightly]
