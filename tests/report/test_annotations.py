from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d365setup.audit import Audit, Finding, Subject
from d365setup.report import Document
from d365setup.report.annotations import MOST, Pipeline, annotated, disarmed, summary_file
from d365setup.report.visible import visible
from tests.report.audits import AUDIT, CENTER
from tests.report.everything import documents
from tests.report.test_every_form import HOSTILE, NAMES, harmless


def lines(document: Document, pipeline: Pipeline) -> list[str]:
    return list(annotated(document, pipeline, lambda value: visible(str(value)), str))


# What the two pipelines read out of a line of a log: the command, its properties, its message.
Read = tuple[str, dict[str, str], str]


def by_github(line: str) -> Read | None:
    """As its runner: a line that begins with `::`, or one that has `##[` somewhere."""
    assert "##[" not in line
    found = re.match(r"\s*::([a-z-]+)(?: ([^:]*))?::(.*)\Z", line)
    if not found:
        return None
    pairs = (each.partition("=") for each in (found[2] or "").split(",") if each)
    values = {name: undone(value.replace("%3A", ":").replace("%2C", ",")) for name, _, value in pairs}
    return found[1], values, undone(found[3])


def undone(text: str) -> str:
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def by_azure(line: str) -> Read | None:
    """As its agent: `##vso[` anywhere, up to the first bracket."""
    assert line.count("##vso[") <= 1
    found = re.search(r"##vso\[([a-z.]+) ?([^\]]*)\](.*)\Z", line)
    if not found:
        return None
    pairs = (each.partition("=") for each in found[2].split(";") if each)
    values = {name: value.replace("%3B", ";").replace("%5D", "]").replace("%AZP25", "%") for name, _, value in pairs}
    return found[1], values, found[3].replace("%0D", "\r").replace("%0A", "\n").replace("%AZP25", "%")


READERS = {"github": by_github, "azure": by_azure}


def test_github_gets_the_line_of_the_playbook() -> None:
    first, second, *_ = lines(AUDIT, "github")
    assert first == (
        "::error file=playbooks/bot.yaml,line=31,title=X12,col=5::workstream:Patient chat: it has no fallback queue; "
        "cure: Give the work stream a fallback queue with people in it: `fallback_queue:` in the playbook."
    )
    assert second.startswith("::error title=X12::workstream:Billing chat: nobody is in its fallback queue Billing")
    assert [line.split()[0] for line in lines(AUDIT, "github")] == ["::error"] * 3 + ["::warning"] * 2 + ["::notice"]


def test_azure_gets_it_too() -> None:
    first, *_, last = lines(AUDIT, "azure")
    assert first.startswith(
        "##vso[task.logissue type=error;sourcepath=playbooks/bot.yaml;linenumber=31;columnnumber=5;]"
        "X12: workstream:Patient chat: it has no fallback queue"
    )
    assert last.startswith("X26: workstream:Patient chat: ")


def test_what_is_waived_is_no_annotation() -> None:
    assert not [line for line in lines(AUDIT, "github") if "X03" in line]


def test_only_so_many_and_the_rest_is_counted() -> None:
    audit = Audit(CENTER, tuple(Finding("X12", "error", Subject("queue", f"Q{n}"), "empty") for n in range(120)))
    found = lines(audit, "github")
    assert len(found) == MOST + 1
    assert found[-1] == "::notice title=More in the report::70 more are in the report"


@pytest.mark.parametrize("pipeline", ["github", "azure"])
@pytest.mark.parametrize("said", [*HOSTILE, "%0A::error::x %25 %AZP25", "a,b:c;d]e"], ids=lambda said: ascii(said[:12]))
def test_nothing_is_smuggled_in(said: str, pipeline: Pipeline) -> None:
    for document in documents(said).values():
        check(document, said, pipeline)


@settings(deadline=None, max_examples=30)  # no test here is about time
@given(st.text(st.characters(codec=None), max_size=40), st.sampled_from(NAMES), st.sampled_from(["github", "azure"]))
def test_no_text_is_a_command(said: str, name: str, pipeline: Pipeline) -> None:
    check(documents(said)[name], said, pipeline)


def check(document: Document, said: str, pipeline: Pipeline) -> None:
    """Each line is one command, with nothing in it that is not ours or what was said."""
    for line in lines(document, pipeline):
        assert harmless(line)
        assert len(line.splitlines()) == 1
        read = READERS[pipeline](line)
        if read is None:
            assert pipeline == "azure"
            continue
        command, values, message = read
        assert command in ("error", "warning", "notice", "task.logissue")
        assert set(values) <= {"file", "line", "col", "title", "type", "sourcepath", "linenumber", "columnnumber"}
        file = values.get("file", values.get("sourcepath", ""))
        assert file in ("", disarmed(visible(said)))
        assert len(message) < 3_000
        assert "##[" not in message


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("##vso[task.setvariable variable=x]y", "# #vso[task.setvariable variable=x]y"),
        ("a ##[group] b", "a # #[group] b"),
        ("##VSO[x] ##", "# #VSO[x] ##"),
        ("::error::x\n  ::add-mask::y\nqueue::z", ": :error::x\n  : :add-mask::y\nqueue::z"),
        ("## Plan\n### Removed", "## Plan\n### Removed"),
    ],
)
def test_text_in_a_log_is_disarmed(text: str, harmless: str) -> None:
    assert disarmed(text) == harmless


@given(st.text("#:vso[\n x"))
def test_disarmed_text_holds_no_command(text: str) -> None:
    found = disarmed(text)
    assert not re.search(r"##(vso)?\[", found, re.IGNORECASE)
    assert not re.search(r"^\s*::", found, re.MULTILINE)
    assert found.replace(" ", "") == text.replace(" ", "")


def test_a_summary_file_is_named_whole() -> None:
    assert summary_file("/tmp/a%b.md") == "##vso[task.uploadsummary]/tmp/a%AZP25b.md"  # noqa: S108  # a name, no file
