"""Follows one run for whoever looks: redrawn at a terminal, line by line in a pipe, as lines of JSON, or in silence."""

from rich.live import Live

from starter.answers import RunDetail
from starter.client import Connection
from starter.console import errors, output
from starter.found_runs import find_run
from starter.live_tails import Tails
from starter.run_watching import Display, JsonDisplay, LineDisplay, LiveDisplay, Look, watch
from starter.server_client import server_at_hand


async def follow_run(connection: Connection, run_id: str, *, as_json: bool = False) -> RunDetail:
    """To its end. Ctrl-C stops following, and the run goes on."""
    described = await find_run(connection, run_id)
    if as_json:
        return await watch(connection, described, JsonDisplay())
    server, console = server_at_hand(), output()
    tails = Tails(server.text) if server else None
    if not console.is_terminal:
        return await watch(connection, described, LineDisplay(), tails=tails)
    with Live(console=console, refresh_per_second=4, vertical_overflow="ellipsis") as live:
        display: Display = LiveDisplay(live)
        return await watch(connection, described, display, tails=tails)


async def await_run(connection: Connection, run_id: str) -> RunDetail:
    """The same for a command whose standard output is its one answer."""
    described = await find_run(connection, run_id)
    with errors().status(f"Run {run_id} comes to its end…"):
        return await watch(connection, described, _Silence())


class _Silence:
    """Shows nothing."""

    def show(self, look: Look) -> None:
        pass

    def end(self, detail: RunDetail) -> None:
        pass
