"""Asks Slack whether notifications will arrive: the token, and the bot in the channel."""

from slack_sdk.web.async_client import AsyncWebClient

from activities.limited_checks import limited
from activities.slack import Slack, SlackAnswer, call_slack
from docustack.prerequisites import Prerequisite
from docustack.slack_prerequisites import CHANNEL, MEND_TOKEN, TOKEN, invite


class _Bot(SlackAnswer):
    user: str = "docustack"
    team: str = ""


class _Channel(SlackAnswer):
    is_member: bool = True
    is_archived: bool = False


class _Info(SlackAnswer):
    channel: _Channel


async def check_slack(client: AsyncWebClient | None, name: str) -> list[Prerequisite]:
    """Without a token Slack is told nothing, which is allowed."""
    if client is None:
        return [TOKEN.optional("there is none: Slack is told nothing", MEND_TOKEN), CHANNEL.skipped("not asked")]
    bot: list[_Bot] = []
    token = await limited(TOKEN, _check_token(client, bot), MEND_TOKEN)
    if not bot:
        return [token, CHANNEL.skipped(f"not asked: {TOKEN.name} failed")]
    return [token, await limited(CHANNEL, _check_channel(client, name, bot[0]), invite(bot[0].user, name))]


async def _check_token(client: AsyncWebClient, bot: list[_Bot]) -> Prerequisite:
    bot.append(await call_slack("", client.auth_test(), _Bot))
    return TOKEN.met(f"{bot[0].user} in {bot[0].team}")


async def _check_channel(client: AsyncWebClient, name: str, bot: _Bot) -> Prerequisite:
    channel_id = await Slack(client).channel_id(name)
    found = (await call_slack(name, client.conversations_info(channel=channel_id), _Info)).channel
    if found.is_archived:
        return CHANNEL.failed(f"{name} is archived", f"unarchive {name} in Slack, or change slack.channel")
    if not found.is_member:
        return CHANNEL.failed(f"{bot.user} is not in {name}", invite(bot.user, name))
    return CHANNEL.met(f"{name}, {bot.user} is in it")
