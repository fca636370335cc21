"""Every timeout and retry policy, by name; no number of seconds stands anywhere else in the workflows.

An activity decides itself whether an error is worth a retry: what a person has to mend is raised as non-retryable.
"""

from datetime import timedelta

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType, ActivityConfig

CONTROL_QUEUE = "docustack"
"""Workflows, GitHub, Slack, git; an environment's own queue is `docustack-<environment>`."""


def environment_queue(environment: str) -> str:
    """The task queue of the workers that hold an environment's credentials."""
    return f"{CONTROL_QUEUE}-{environment}"


def host_queue(queue: str, host: str) -> str:
    """One host's part of a task queue, for going on where a work tree lies or an apply runs; outlives a restart."""
    return f"{queue}@{host}"


_PATIENT = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=2)
)

GITHUB = ActivityConfig(
    task_queue=CONTROL_QUEUE,
    start_to_close_timeout=timedelta(minutes=1),
    schedule_to_close_timeout=timedelta(days=1),
    retry_policy=_PATIENT,
)
WHILE_SOMEBODY_WAITS = ActivityConfig(
    task_queue=CONTROL_QUEUE,
    start_to_close_timeout=timedelta(seconds=8),
    schedule_to_close_timeout=timedelta(seconds=15),
    retry_policy=_PATIENT,
)
"""For what is asked before a person gets an answer, who can ask again where GitHub is slow."""

SLACK = ActivityConfig(
    task_queue=CONTROL_QUEUE,
    start_to_close_timeout=timedelta(seconds=30),
    schedule_to_close_timeout=timedelta(hours=12),
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry_policy=_PATIENT,
)
HEARTBEAT_TIMEOUT = timedelta(seconds=15)
"""Sets how fast a dead worker is noticed."""

HEARTBEATS_SENT_EVERY = timedelta(seconds=2)
"""At most, however often an activity has one: a cancellation arrives with the answer, and people wait for it."""

GIT = ActivityConfig(
    task_queue=CONTROL_QUEUE,
    start_to_close_timeout=timedelta(minutes=30),
    heartbeat_timeout=HEARTBEAT_TIMEOUT,
    schedule_to_close_timeout=timedelta(hours=2),
    retry_policy=_PATIENT,
)
MERGE_QUEUE = ActivityConfig(
    task_queue=CONTROL_QUEUE,
    start_to_close_timeout=timedelta(minutes=10),
    heartbeat_timeout=HEARTBEAT_TIMEOUT,
    schedule_to_close_timeout=timedelta(minutes=30),
    retry_policy=_PATIENT,
)
"""GitHub waits for the checks of a merge group for an hour, unless a repository says otherwise."""

LOCKS = ActivityConfig(
    task_queue=CONTROL_QUEUE,
    start_to_close_timeout=timedelta(seconds=10),
    schedule_to_close_timeout=timedelta(hours=2),
    retry_policy=_PATIENT,
)

LOST_LOCKS = ActivityConfig(
    task_queue=CONTROL_QUEUE, start_to_close_timeout=timedelta(minutes=2), retry_policy=_PATIENT
)
"""Nothing is granted before this has an answer, so it never gives up."""

TURN = timedelta(minutes=10)
"""In which the workflow of a pull request ends the apply that waits; it is busy for seconds, or gone."""

HOST_ANSWERS_WITHIN = timedelta(minutes=3)
"""How long work waits for the host that holds a run before it counts as gone."""

HOST_TAKES_WORK_WITHIN = timedelta(seconds=20)
"""How long work waits for the host that has the run's work tree before any other may do it; a restart fits in."""

LOCK_ANSWERS_WITHIN = timedelta(seconds=20)
"""A lost answer heals: the request is sent again after this long."""

LOCKS_ASKED_AGAIN_WITHIN = timedelta(minutes=20)
"""Who waits in line asks less and less often: a lost grant holds up those behind for so long in the first hours."""

LOCKS_ASKED_AGAIN_AT_LAST = timedelta(days=1)
"""And for so long, once it has waited for a week."""


def asked_again_in(last: timedelta, waited: timedelta) -> timedelta:
    """Twice as late as last time, then an eighth of what it has waited: three months in line fit into one history."""
    return min(last * 2, max(LOCKS_ASKED_AGAIN_WITHIN, min(waited / 8, LOCKS_ASKED_AGAIN_AT_LAST)))


SUPERSEDED_LOOKED_FOR_EVERY = timedelta(minutes=10)
"""How long a run that was cancelled for another, and then terminated by an operator, may go unnoticed."""

ORPHANS_LOOKED_AT_EVERY = timedelta(days=1)
"""How long nobody may notice that a unit which a merge has left owned by nobody was destroyed by hand."""

ADDED_TO_UNIT_TIMEOUT = timedelta(minutes=20)
"""What an activity gets beyond a unit's own timeout, to end Terraform gracefully and to write its artifacts."""


def on(queue: str) -> ActivityConfig:
    """A question to whichever worker answers on a queue."""
    return ActivityConfig(task_queue=queue, start_to_close_timeout=timedelta(seconds=10), retry_policy=_PATIENT)


def on_host(policy: ActivityConfig, queue: str, host: str) -> ActivityConfig:
    """The same work, for one host of the queue; that it isn't taken up soon is an error, which no policy retries."""
    of_host = policy.copy()
    of_host["task_queue"] = host_queue(queue, host)
    of_host["schedule_to_start_timeout"] = HOST_TAKES_WORK_WITHIN
    return of_host


def account_config(queue: str) -> ActivityConfig:
    """Asking whose credentials a worker has: before each unit it is asked again, so nobody waits for it here."""
    return ActivityConfig(
        task_queue=queue,
        start_to_close_timeout=timedelta(minutes=1),
        schedule_to_start_timeout=HOST_TAKES_WORK_WITHIN,
        retry_policy=RetryPolicy(maximum_attempts=2),
    )


def order_config(queue: str) -> ActivityConfig:
    """Comparing commits: it may have to fetch them first."""
    return ActivityConfig(
        task_queue=queue,
        start_to_close_timeout=timedelta(minutes=30),
        heartbeat_timeout=HEARTBEAT_TIMEOUT,
        schedule_to_close_timeout=timedelta(hours=2),
        retry_policy=_PATIENT,
    )


def record_config(queue: str) -> ActivityConfig:
    """Putting on record what can't be found out later: worth to wait for."""
    return ActivityConfig(
        task_queue=queue,
        start_to_close_timeout=timedelta(minutes=1),
        schedule_to_close_timeout=timedelta(days=1),
        retry_policy=_PATIENT,
    )


def plan_config(queue: str, timeout_minutes: int) -> ActivityConfig:
    """A plan changes nothing: after a lost worker or a busy AWS it is simply made again."""
    return ActivityConfig(
        task_queue=queue,
        start_to_close_timeout=timedelta(minutes=timeout_minutes) + ADDED_TO_UNIT_TIMEOUT,
        heartbeat_timeout=HEARTBEAT_TIMEOUT,
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        retry_policy=RetryPolicy(
            initial_interval=timedelta(seconds=2), maximum_interval=timedelta(minutes=1), maximum_attempts=8
        ),
    )


def apply_config(queue: str, timeout_minutes: int, lease_seconds: int) -> ActivityConfig:
    """A retry never applies again, it re-attaches to the apply that runs or reads how it ended.

    Its host is waited for no longer than the lease lasts, after which nothing runs there any more.
    The first retry comes later than a heartbeat of the first attempt could, so that two attempts rarely overlap.
    """
    return ActivityConfig(
        task_queue=queue,
        start_to_close_timeout=timedelta(minutes=timeout_minutes) + ADDED_TO_UNIT_TIMEOUT,
        schedule_to_start_timeout=min(HOST_ANSWERS_WITHIN, timedelta(seconds=lease_seconds)),
        heartbeat_timeout=HEARTBEAT_TIMEOUT,
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        retry_policy=RetryPolicy(initial_interval=HEARTBEAT_TIMEOUT, maximum_interval=timedelta(minutes=1)),
    )
