"""Pull requests against bare Terragrunt, over the same five units and the same state, in turn."""

from rich.console import Console

from bench.example_world import ExampleWorld, unless_it_stumbles
from bench.figures import Found, ratio_of_medians

REPETITIONS = 5


def measure_plans(console: Console, repetitions: int = REPETITIONS) -> Found:
    """Pull request opened to last plan comment, over `terragrunt run --all plan`; both from a fresh work tree."""
    ours: list[float] = []
    bare: list[float] = []
    with ExampleWorld.up(console) as world:
        for _ in range(repetitions):
            bare.append(unless_it_stumbles(console, world.plan_barely))
            number, took = world.open_pull_request()
            ours.append(took)
            console.print(f"plan: bare {bare[-1]:.2f} s, pull request {took:.2f} s", highlight=False)
            world.close(number)
    return ratio_of_medians(ours, bare, "plan")


def measure_applies(console: Console, repetitions: int = REPETITIONS) -> Found:
    """`terrateam apply` to last apply comment, over `terragrunt run --all apply`; both from a fresh work tree."""
    ours: list[float] = []
    bare: list[float] = []
    with ExampleWorld.up(console) as world:
        for _ in range(repetitions):
            number, _took = world.open_pull_request()
            ours.append(world.apply(number))
            bare.append(unless_it_stumbles(console, world.apply_barely))
            console.print(f"apply: bare {bare[-1]:.2f} s, pull request {ours[-1]:.2f} s", highlight=False)
    return ratio_of_medians(ours, bare, "apply")


def measure_deployments(console: Console, repetitions: int = 3) -> Found:
    """`docustack deploy environment dev`, order to end, over `terragrunt run --all apply`; both from nothing."""
    ours: list[float] = []
    bare: list[float] = []
    with ExampleWorld.up(console, applied=False) as world:
        for _ in range(repetitions):
            bare.append(unless_it_stumbles(console, world.apply_barely_from_nothing))
            world.empty_aws()
            ours.append(world.deploy_dev())
            console.print(f"first deployment: bare {bare[-1]:.2f} s, DocuStack {ours[-1]:.2f} s", highlight=False)
    return ratio_of_medians(ours, bare, "first deployment")
