"""How a deployment is shown in the terminal: its page, and what it asks of people."""

from rich.console import Group, RenderableType
from rich.text import Text

from docustack.deployment_decisions import DecisionKind, Question
from docustack.deployment_texts import warned
from starter.deployment_watching import Look, elapsed, estimate
from starter.run_display import plain_table
from starter.standalone.surrounding import standalone


def deployment_page(look: Look) -> RenderableType:
    """How far it is, by environment, with what it waits for and what was decided."""
    state, order = look.state, look.state.order
    table = plain_table("ENVIRONMENT", "STAGE", "UNITS", "COMMIT", "RUN", "TOOK")
    for one in state.environments:
        units = f"{len(one.done)} of {len(one.units)}" if one.units else ""
        stage = one.stage.value + estimate(one)
        table.add_row(one.name, stage, units, one.commit[:7], one.run_id, elapsed(one))
    parts: list[RenderableType] = [Text(f"Deployment of {order.repository.full_name} by {order.login}", "bold")]
    parts += [table] if state.environments else []
    parts += [Text(warned(warning), "yellow") for warning in state.warnings]
    if look.waits_for:
        parts.append(Text(look.waits_for, "yellow"))
    if look.waits_for_approval:
        run_id = look.waits_for_approval
        parts.append(Text(f"Run {run_id} waits for approval: {standalone.typed} approve {run_id}", "yellow"))
    if state.question is not None:
        parts.append(question_text(state.question))
    decided = [f"{given.kind} by {given.login or 'nobody named'}: {given.told}" for given in state.decisions]
    parts += [Text(line, "dim") for line in decided]
    return Group(*parts)


def question_text(question: Question) -> Text:
    """What failed, and each answer as it is to be typed."""
    answers = [f"  {standalone.typed} deploy {_usage(kind, question)}" for kind in question.answers]
    return Text("\n".join([f"{question.environment} has stopped.", question.message, "Decide:", *answers]), "yellow")


def _usage(kind: DecisionKind, question: Question) -> str:
    match kind:
        case DecisionKind.SKIP:
            return f"skip {(*question.failed, *question.not_begun)[0]}"
        case _:
            return kind.value
