"""What a worker passes on to Terragrunt of its own environment."""

import pytest

from activities.terragrunt_command import TerragruntCommand, child_environment


@pytest.mark.parametrize("name", ["TF_PLUGIN_CACHE_DIR", "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE"])
def test_units_planned_at_once_share_no_plugin_cache(name: str) -> None:
    assert child_environment({name: "/var/cache/plugins"}) == {}


def test_mirrors_and_the_cache_that_is_made_for_it_stay() -> None:
    settings = {"TF_CLI_CONFIG_FILE": "/etc/terraformrc", "TG_PROVIDER_CACHE": "1", "TG_PROVIDER_CACHE_DIR": "/cache"}
    assert child_environment(settings) == settings


def test_tokens_of_the_worker_stay_with_it() -> None:
    assert child_environment({"DOCUSTACK_GITHUB_TOKEN": "x", "SLACK_TOKEN": "x", "GITHUB_TOKEN": "x"}) == {}


def test_short_processes_collect_less_garbage_unless_the_worker_says_otherwise() -> None:
    command = TerragruntCommand("terragrunt", "terraform", (1, 1, 3))
    assert command.base_environment({}).items() >= {"GOGC": "300", "GOMEMLIMIT": "2GiB"}.items()
    assert command.base_environment({"GOGC": "100"}).items() >= {"GOGC": "100", "GOMEMLIMIT": "2GiB"}.items()
