"""Questions before a conversation: each makes a context variable of its own name."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.checking import Result, Seen, about_variable, about_workstream, check, finding
from d365setup.audit.findings import Unchecked


@check("R25")
def questions_and_variables(seen: Seen) -> Iterator[Result]:
    """A question and a variable of one name must have one type."""
    for stream in seen.workstreams:
        if stream.questions is None or stream.variables is None:
            yield Unchecked("R25", "its questions or its context variables could not be read", about_workstream(stream))
            continue
        for question in stream.questions:
            variable = stream.variable(question.name)
            if variable and question.type and variable.type != question.type:
                told = (
                    f"the question {question.name} gives a {question.type}, "
                    f"and the context variable of this name is a {variable.type or 'value of another type'}"
                )
                yield finding(
                    "R25", about_variable(stream, question.name), told, question=question.type, variable=variable.type
                )
