"""Reading and deciding, with the output told who is a person as soon as that is known."""

from __future__ import annotations

from dataclasses import replace

from d365setup.cli.options import Target
from d365setup.cli.output import Output
from d365setup.plan import Decision
from d365setup.saved import Saved, check_environment, check_same
from d365setup.session import Decides, bots_of, people_of, unsettled


def decided(
    session: Decides, target: Target, output: Output, *, whole_stages: bool = False, plan: Saved | None = None
) -> Decision:
    """The plan for this session. Raises DataverseError, Refused, Unresolvable, Stale where it is not the saved one."""
    output.know_people((), bots_of(session.playbook))
    live = session.look(target.expect_organization or "")
    output.notebook.environment = live.environment
    if plan is not None:
        check_environment(plan, live.environment)
    output.know_people(people_of(live), bots_of(session.playbook))
    decision = _with_handwork(session.decide(live, whole_stages=whole_stages), session, target)
    output.notebook.beside.append(decision.plan)
    if plan is not None:
        check_same(plan, decision)
    return decision


def _with_handwork(decision: Decision, session: Decides, target: Target) -> Decision:
    """The plan, with what is left to a person where the playbook names a Health Bot; not where it is taken away."""
    if session.playbook.health_bot is None or (session.prune and session.prune.everything):
        return decision
    from d365setup.healthbot.checklist import checklist  # noqa: PLC0415  # few playbooks name one

    url = "" if target.emulator else decision.plan.environment.url
    return replace(decision, plan=replace(decision.plan, checklist=checklist(session.playbook, url)))


def with_open_runs(decision: Decision, session: Decides) -> Decision:
    """The plan, warning of runs whose process died: for a command that cannot settle them."""
    notes = (unsettled(each) for each in session.left_open(decision.scope.live))
    return replace(decision, plan=replace(decision.plan, warnings=(*decision.plan.warnings, *notes)))
