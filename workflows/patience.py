"""How long the gate waits for people: it reminds them once of a question, and gives up in the end."""

from datetime import datetime, timedelta

from temporalio import workflow

from workflows.reporting import Report
from workflows.run_state import Refused, Run

with workflow.unsafe.imports_passed_through():
    from docustack.run_comments import reminder_comment
    from docustack.slack_messages import approval_expired, approval_reminder


class Patience:
    """With one question: what all of the apply waits for, or one unit whose new plan does more than was approved."""

    def __init__(self, run: Run, report: Report, units: list[str]) -> None:
        self.asked = workflow.now()
        self._run = run
        self._report = report
        self._units = units
        self._has_reminded = False

    async def wait(self, seen: int, message: str) -> None:
        """Until there is news. Time counts from the question, and anew from each command to apply, not each remark.

        Raises:
            Refused: it has waited for long enough.
        """
        settings = self._run.configuration.apply
        began = max([self.asked, *(at for _, at in self._run.commanded)])
        gives_up = began + timedelta(days=settings.approval_expires_days)
        reminds = began + timedelta(hours=settings.remind_after_hours)
        may_remind = settings.remind_after_hours > 0 and reminds < gives_up and not self._has_reminded
        if may_remind and await self._is_quiet(seen, reminds):
            self._remind(message, gives_up)
        if not await self._is_quiet(seen, gives_up):
            return
        self._report.slack.say(approval_expired(self._units, settings.approval_expires_days))
        is_order = self._run.start.manual is not None
        run_again = "Give the order again to ask again." if is_order else "Comment `terrateam apply` to ask again."
        raise Refused(
            f"Nobody approved within {settings.approval_expires_days} days. {message}\n\n{run_again}",
            on_check=True,
        )

    def _remind(self, message: str, gives_up: datetime) -> None:
        self._has_reminded = True
        now = workflow.now()
        self._report.say_why(f"reminder:{workflow.uuid4()}", reminder_comment(message, self.asked, gives_up, now))
        self._report.slack.say(approval_reminder(self._units, self.asked, gives_up))

    async def _is_quiet(self, seen: int, until: datetime) -> bool:
        """Nothing was heard until then."""
        try:
            await workflow.wait_condition(
                lambda: self._run.wakes != seen, timeout=max(until - workflow.now(), timedelta(seconds=1))
            )
        except TimeoutError:
            return True
        return False
