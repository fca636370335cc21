"""What notifications need in Slack (guide, "Slack Notifications"), and what mends it."""

from docustack.prerequisites import Area, Expected

TOKEN = Expected(area=Area.SLACK, name="Slack token", needed="the valid token of a bot")
MEND_TOKEN = "export DOCUSTACK_SLACK_TOKEN=xoxb-…"  # noqa: S105 - a command; api.slack.com/apps shows it
CHANNEL = Expected(area=Area.SLACK, name="Slack channel", needed="the bot is in it")


def invite(bot: str, name: str) -> str:
    """To be typed in Slack."""
    return f"/invite @{bot} (in {name})"
