"""Every way a command can end without a result, turned into a message and an exit code. The only such place."""

from __future__ import annotations

import os
import re
import sys
import traceback

import click

from d365setup.apply import failure_of
from d365setup.dataverse.errors import AuthError, DataverseError, ReadFailed
from d365setup.errors import D365SetupError, PlaybookError, Stale, TestsFailed, Unresolvable
from d365setup.outcome import INTERRUPTED
from d365setup.report import ErrorReport, Problem
from d365setup.session import Unfinished

_NO_OMNICHANNEL = re.compile(
    r"(?:Could not find a property named|Resource not found for the segment) '(msdyn_\w+)'", re.IGNORECASE
)
_SIGN_IN = "check D365_TENANT_ID, D365_CLIENT_ID and D365_CLIENT_SECRET (or D365_ACCESS_TOKEN), see .env.example"


def explained(error: BaseException) -> ErrorReport:
    """The report for what was raised; nothing that comes in here reaches a user as a traceback."""
    if isinstance(error, D365SetupError):
        return _ours(error)
    if isinstance(error, DataverseError):
        return _service(error)
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, KeyboardInterrupt | click.Abort):  # while something is written it is `Unfinished`
        return ErrorReport("interrupted: nothing was written", INTERRUPTED)
    return _bug(error)


def _ours(error: D365SetupError) -> ErrorReport:
    match error:
        case PlaybookError():
            return _playbook(error)
        case Unresolvable():
            return _unresolvable(error)
        case TestsFailed():
            return _tests(error)
        case Stale():
            return _stale(error)
        case Unfinished():
            return _unfinished(error)
    return ErrorReport(str(error), error.exit_code)


def _playbook(error: PlaybookError) -> ErrorReport:
    problems = tuple(Problem(each.message, "", each.source) for each in error.mistakes)
    count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    return ErrorReport(f"the {error.file} cannot be used, it has {count}; nothing was sent", error.exit_code, problems)


def _unresolvable(error: Unresolvable) -> ErrorReport:
    problems = tuple(Problem(each.message, str(each.id), each.source, each.severity) for each in error.notes)
    return ErrorReport(error.summary, error.exit_code, problems)


def _tests(error: TestsFailed) -> ErrorReport:
    found = [(test, unmet) for test in error.proof.failed for unmet in test.problems]
    problems = tuple(Problem(unmet.message, f"test:{test.name}", unmet.source) for test, unmet in found)
    hint = (
        "mend the rules, the members or the test; `d365setup simulate` shows a conversation step by step, and "
        "--skip-tests applies all the same, which the run then says"
    )
    return ErrorReport(str(error), error.exit_code, problems, hint, proof=error.proof)


def _stale(error: Stale) -> ErrorReport:
    told = (f"planned {each.planned}; then {each.then or '-'}; now {each.now}" for each in error.rows)
    problems = tuple(Problem(message, each.id) for each, message in zip(error.rows, told, strict=True))
    return ErrorReport(str(error), error.exit_code, problems)


def _unfinished(error: Unfinished) -> ErrorReport:
    if not error.is_interrupted:
        _show_where(error.cause)
    problems = tuple(Problem("may or may not be written", str(each.id), each.source) for each in error.unknown)
    hint = "run `d365setup plan` to see what is left, or the same apply again: what is there already is left alone"
    return ErrorReport(str(error), error.exit_code, problems, hint)


def _service(error: DataverseError) -> ErrorReport:
    failure = failure_of(error)
    every = error.errors.values() if isinstance(error, ReadFailed) else ()
    distinct = {(each.message, each.status, each.code): str(each) for each in every}  # one of each, whichever request
    problems = tuple(Problem(each) for each in distinct.values()) if len(distinct) > 1 else ()
    return ErrorReport(
        str(error), failure.exit_code, problems, _hint(error), failure.code, failure.status, failure.request_id
    )


def _hint(error: DataverseError) -> str:
    each = error.errors.values() if isinstance(error, ReadFailed) else (error,)
    for one in each:
        found = _NO_OMNICHANNEL.search(one.message)
        if found:
            return (
                f"the environment has no {found[1]}: Omnichannel for Customer Service is not installed there, "
                "or only in part; provision it in the Customer Service admin centre, then run again"
            )
    hints = [one.hint or (_SIGN_IN if isinstance(one, AuthError) else "") for one in each]
    return next(filter(None, hints), "")


def _usage(error: click.ClickException) -> ErrorReport:
    context = getattr(error, "ctx", None)
    hint = f"`{context.command_path} --help` shows how it is used" if context else ""
    return ErrorReport(error.format_message(), error.exit_code, hint=hint)


def _bug(error: BaseException) -> ErrorReport:
    _show_where(error)
    message = f"d365setup itself failed ({type(error).__name__}: {error}); this should not happen"
    hint = "please report it with the command you ran; with D365_DEBUG=1 set, the same command says where it failed"
    return ErrorReport(message, 1, hint=hint)


def _show_where(error: BaseException) -> None:
    if os.environ.get("D365_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
