"""What a worker knows of itself and of the installation around it."""

from temporalio import activity

from docustack.model import Model, Nothing


class Installation(Model):
    """What a run has to know of the installation it runs in, to make links and to wait long enough."""

    temporal_ui_url: str = ""
    temporal_namespace: str = "default"
    public_url: str = ""  # of the web server that shows logs
    apply_lease_seconds: int = 900
    cancel_grace_seconds: int = 300
    bot_login: str = ""
    takes_approvals: bool = False  # through the server


class Host(Model):
    """The host of the worker that answered, as in `docustack-<environment>@<host>`."""

    host: str


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
