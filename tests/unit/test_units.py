"""Waves, the units a command names, and Terragrunt's own account of its graph."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docustack.configuration import Configuration
from docustack.unit_graph import UnreadableGraph, parse_find, parse_graph_dependencies
from docustack.units import (
    DependencyCycle,
    UnknownDirectory,
    dependants,
    in_apply_order,
    select,
    waves,
    waves_by_environment,
)

ENVIRONMENTS = ("dev", "staging", "prod", "management")
GUIDE = Configuration.model_validate(
    {
        "version": 1,
        "teams": {"infra": "infra"},
        "environments": {
            name: {"path": name, "account_id": str(number) * 12, "apply": ["infra"]}
            for number, name in enumerate(ENVIRONMENTS)
        },
    }
)
FIVE = {
    "dev/vpc": (),
    "dev/ecs-cluster": ("dev/vpc",),
    "dev/rds": ("dev/vpc",),
    "dev/temporal": ("dev/vpc", "dev/ecs-cluster", "dev/rds"),
    "dev/terrateam": ("dev/ecs-cluster",),
}

Graph = dict[str, tuple[str, ...]]


@st.composite
def acyclic(draw: st.DrawFn) -> Graph:
    """Units that depend on earlier ones only, in any mixture of environments."""
    count = draw(st.integers(0, 12))
    names = [f"{draw(st.sampled_from((*ENVIRONMENTS, 'bootstrap')))}/{number}" for number in range(count)]
    return {
        name: tuple(draw(st.lists(st.sampled_from(names[:number]), unique=True, max_size=4))) if number else ()
        for number, name in enumerate(names)
    }


def reach(unit: str, graph: Graph) -> set[str]:
    return {other for needed in graph.get(unit, ()) for other in {needed, *reach(needed, graph)}}


def test_the_guides_five_units_come_in_three_waves() -> None:
    assert waves(FIVE, FIVE) == [["dev/vpc"], ["dev/ecs-cluster", "dev/rds"], ["dev/temporal", "dev/terrateam"]]


def test_order_counts_through_units_that_are_not_selected() -> None:
    assert waves(["dev/temporal", "dev/vpc"], {"dev/temporal": ("x",), "x": ("dev/vpc",)}) == [
        ["dev/vpc"],
        ["dev/temporal"],
    ]


def test_nothing_selected_is_no_wave() -> None:
    assert waves([], FIVE) == []


def test_dependency_outside_of_the_graph_is_no_obstacle() -> None:
    assert waves(["a"], {"a": ("gone",)}) == [["a"]]


def test_cycle_is_named() -> None:
    with pytest.raises(DependencyCycle) as caught:
        waves(["a", "b", "c", "d"], {"a": ("b",), "b": ("c",), "c": ("b",), "d": ()})
    assert caught.value.cycle == ["b", "c", "b"]
    assert "`b` -> `c` -> `b`" in str(caught.value)


def test_unit_that_depends_on_itself_is_a_cycle() -> None:
    with pytest.raises(DependencyCycle) as caught:
        waves(["a"], {"a": ("a",)})
    assert caught.value.cycle == ["a", "a"]


def test_cycle_through_a_unit_that_is_not_selected_is_named_whole() -> None:
    with pytest.raises(DependencyCycle) as caught:
        waves(["a"], {"a": ("x",), "x": ("a",)})
    assert caught.value.cycle == ["a", "x", "a"]


def test_cycle_elsewhere_stops_nobody() -> None:
    assert waves(["a"], {"a": ("x",), "x": ("y",), "y": ("x",)}) == [["a"]]


@given(acyclic(), st.data())
def test_every_selected_unit_is_in_one_wave_after_all_that_it_needs(graph: Graph, data: st.DataObject) -> None:
    selected = data.draw(st.sets(st.sampled_from(sorted(graph)))) if graph else set()
    result = waves(selected, graph)
    order = {unit: number for number, wave in enumerate(result) for unit in wave}
    assert sorted(unit for wave in result for unit in wave) == sorted(selected)
    for unit in selected:
        needed = reach(unit, graph) & selected
        # As early as it can be: right after the latest of what it needs.
        assert order[unit] == max((order[other] + 1 for other in needed), default=0)


@given(acyclic(), st.data())
def test_environments_never_mix_in_a_wave_and_dependencies_still_hold(graph: Graph, data: st.DataObject) -> None:
    selected = data.draw(st.sets(st.sampled_from(sorted(graph)))) if graph else set()
    order = in_apply_order(GUIDE, graph, selected)
    assert sorted(order) == sorted(selected)
    for unit in selected:
        assert all(order.index(other) < order.index(unit) for other in reach(unit, graph) & selected)
    # Where no environment depends on another, they come as the file lists them.
    crosses = any(GUIDE.environment_of(a) != GUIDE.environment_of(b) for a in graph for b in graph[a])
    if not crosses:
        listed = [*GUIDE.environment_order(), None]
        places = [listed.index(GUIDE.environment_of(unit)) for unit in order]
        assert places == sorted(places)
        assert all(len({GUIDE.environment_of(unit) for unit in wave}) == 1 for wave in
                   waves_by_environment(GUIDE, graph, selected))  # fmt: skip


def test_environments_come_in_the_order_of_the_file() -> None:
    units = ["prod/vpc", "management/scps", "staging/vpc", "dev/rds", "dev/vpc"]
    graph = {"dev/rds": ("dev/vpc",)}
    assert waves_by_environment(GUIDE, graph, units) == [
        ["dev/vpc"],
        ["dev/rds"],
        ["staging/vpc"],
        ["prod/vpc"],
        ["management/scps"],
    ]


def test_environment_that_another_depends_on_comes_first() -> None:
    graph = {"dev/vpc": ("management/dns",)}
    assert in_apply_order(GUIDE, graph, ["dev/vpc", "staging/vpc", "management/dns"]) == [
        "staging/vpc",
        "management/dns",
        "dev/vpc",
    ]


def test_environments_that_depend_on_each_other_come_in_the_order_of_dependencies() -> None:
    graph = {"dev/a": ("prod/b",), "prod/b": ("dev/c",)}
    assert in_apply_order(GUIDE, graph, ["dev/a", "prod/b", "dev/c"]) == ["dev/c", "prod/b", "dev/a"]


@given(acyclic())
def test_dependants_are_those_that_reach_it(graph: Graph) -> None:
    for unit in graph:
        assert dependants([unit], graph) == {other for other in graph if unit in reach(other, graph)}


# ---- select ----------------------------------------------------------------------------------------------------------

CHANGED = ("dev/us-east-1/rds", "dev/us-east-1/vpc", "prod/us-east-1/vpc")


@pytest.mark.parametrize(
    "directories,chosen",
    [
        ([], CHANGED),
        (["dev/us-east-1/vpc"], ["dev/us-east-1/vpc"]),
        (["./dev/us-east-1/vpc/"], ["dev/us-east-1/vpc"]),
        (["/dev/us-east-1/vpc"], ["dev/us-east-1/vpc"]),
        (["dev/us-east-1/vpc/terragrunt.hcl"], ["dev/us-east-1/vpc"]),
        (["dev"], ["dev/us-east-1/rds", "dev/us-east-1/vpc"]),
        (["prod", "dev/us-east-1/vpc"], ["dev/us-east-1/vpc", "prod/us-east-1/vpc"]),
        (["**/vpc"], ["dev/us-east-1/vpc", "prod/us-east-1/vpc"]),
        (["dev/*"], ["dev/us-east-1/rds", "dev/us-east-1/vpc"]),
        (["{dev,prod}/us-east-1/v*"], ["dev/us-east-1/vpc", "prod/us-east-1/vpc"]),
        (["."], CHANGED),
    ],
)
def test_directories_of_a_command(directories: list[str], chosen: list[str]) -> None:
    assert select(CHANGED, directories) == tuple(chosen)


@pytest.mark.parametrize("directory", ["dev/us-east-1/vcp", "de", "staging", "**/temporal", "dev/us-east-1/vpc/x"])
def test_directory_in_which_nothing_changes_is_answered_with_those_that_do(directory: str) -> None:
    with pytest.raises(UnknownDirectory) as caught:
        select(CHANGED, ["prod", directory])
    assert caught.value.directory == directory
    assert caught.value.changed == CHANGED
    assert "`dev/us-east-1/rds`, `dev/us-east-1/vpc`, `prod/us-east-1/vpc`" in str(caught.value)


def test_typo_in_a_directory_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownDirectory) as caught:
        select(CHANGED, ["dev/us-east-1/vcp"])
    assert caught.value.nearest == "dev/us-east-1/vpc"


# ---- what Terragrunt answers -----------------------------------------------------------------------------------------


def test_find_is_read_without_parents_and_root() -> None:
    graph = parse_find(
        """[{"type": "unit", "path": "."},
            {"type": "unit", "path": "dev", "reading": []},
            {"type": "unit", "path": "dev/b", "include": {"root": "dev/terragrunt.hcl"}, "dependencies": ["dev/a", "x"],
             "reading": ["dev/env.hcl"], "something": "new"},
            {"type": "unit", "path": "dev/a"},
            {"type": "stack", "path": "stk"}]"""
    )
    assert sorted(graph.units) == ["dev/a", "dev/b"]
    assert graph.units["dev/b"].reading == ("dev/env.hcl",)
    assert graph.dependencies() == {"dev/a": (), "dev/b": ("dev/a",)}
    assert graph.stacks == ("stk",)


@pytest.mark.parametrize("text", ["", "no units", '{"a": 1}', '[{"path": "a"}]'])
def test_find_that_answers_something_else_is_an_error(text: str) -> None:
    with pytest.raises(UnreadableGraph):
        parse_find(text)


@pytest.mark.parametrize("prefix", ["", "/live/tree/"])
def test_graph_of_an_older_terragrunt_is_read(prefix: str) -> None:
    text = f"""digraph {{
\t"{prefix}dev/vpc" ;
\t"{prefix}dev/rds" ;
\t"{prefix}dev/rds" -> "{prefix}dev/vpc";
\t"{prefix}dev/a b" [color=red];
\t"{prefix}dev/temporal" -> "{prefix}dev/rds";
}}
"""
    graph = parse_graph_dependencies(text, "/live/tree")
    assert graph.dependencies() == {
        "dev/a b": (),
        "dev/rds": ("dev/vpc",),
        "dev/temporal": ("dev/rds",),
        "dev/vpc": (),
    }
    assert not any(unit.told_reads for unit in graph.units.values())


def test_broken_answers_of_an_older_terragrunt_are_errors() -> None:
    with pytest.raises(UnreadableGraph):
        parse_graph_dependencies("error", "/t")
