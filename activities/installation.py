"""What a worker knows of itself and of the installation around it."""

from temporalio import activity

from activities.messages import Host, Installation, Nothing


class Surroundings:
    """Answers a workflow's questions about where it runs."""

    def __init__(self, installation: Installation, host: str) -> None:
        self._installation = installation
        self._host = host

    @activity.defn
    async def read_installation(self, _: Nothing) -> Installation:
        return self._installation

    @activity.defn
    async def name_host(self, _: Nothing) -> Host:
        """Which host answers on an environment's queue: work that needs its work tree again goes to that one."""
        return Host(host=self._host)
