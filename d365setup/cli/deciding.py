"""Reading and deciding, with the output told who is a person as soon as that is known."""

from __future__ import annotations

from d365setup.cli.options import Target
from d365setup.cli.output import Output
from d365setup.plan import Decision
from d365setup.session import Session, bots_of, people_of


def decided(session: Session, target: Target, output: Output, *, whole_stages: bool = False) -> Decision:
    """The plan for this session. Raises DataverseError, Refused, Unresolvable."""
    output.know_people((), bots_of(session.playbook))
    live = session.look(target.expect_organization or "")
    output.know_people(people_of(live), bots_of(session.playbook))
    return session.decide(live, whole_stages=whole_stages)
