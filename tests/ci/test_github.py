"""`action.yml`, run as GitHub runs it: every step of ours, with its own `if` and `env`, in bash."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from d365setup.emulator import Emulator
from tests.ci.hub import HEAD, TOKEN, Hub
from tests.ci.runner import ROOT, Done, Job, filled, holds

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = ACTION["runs"]["steps"]
Ran = tuple[Done | None, dict[str, Any]]


@pytest.fixture
def event(job: Job) -> Callable[[str], dict[str, str]]:
    def make(name: str) -> dict[str, str]:
        path = job.temporary / "event.json"
        held = {"pull_request": {"number": 7}} if name == "pull_request" else {"ref": "refs/heads/main"}
        path.write_text(json.dumps(held), encoding="utf-8")
        return {"GITHUB_EVENT_PATH": str(path), "GITHUB_EVENT_NAME": name}

    return make


@pytest.fixture
def act(job: Job, hub: Hub, emulator: Emulator, event: Callable[[str], dict[str, str]]) -> Callable[..., Ran]:
    """Run the action; the last step of ours that failed (or the last of all), and what is known in the end."""

    def call(name: str, **given: str) -> Ran:
        inputs = {key: str(about.get("default", "")) for key, about in ACTION["inputs"].items()}
        inputs |= {"playbook": "bot.yaml", "url": emulator.url, "github-token": TOKEN}
        inputs |= {key.replace("_", "-"): value for key, value in given.items()}
        known: dict[str, Any] = {
            "inputs": inputs, "steps": {}, "github": {"event_name": name, "token": TOKEN},
            "runner": {"temp": str(job.temporary)},
        }  # fmt: skip
        own = {"D365_ACCESS_TOKEN": "made-up-token", "GITHUB_ACTION_PATH": str(ROOT), "GITHUB_ACTIONS": "true"}
        api = {key: value for key, value in hub.variables.items() if key != "GITHUB_TOKEN"}
        job.variables = {
            **{key: value for key, value in job.variables.items() if not key.startswith("SETUP_")},
            **own, **api, **event(name), "RUNNER_TEMP": str(job.temporary),
        }  # fmt: skip
        return _run(job, known)

    return call


def _run(job: Job, known: dict[str, Any]) -> Ran:
    """A step whose `if` calls no status function runs only while nothing failed."""
    failed: Done | None = None
    done: Done | None = None
    known["kept"] = []
    for step in STEPS:
        condition = str(step.get("if", ""))
        if (failed and "cancelled()" not in condition) or (condition and not holds(condition, known)):
            continue
        if "uses" in step:
            if "upload-artifact" in step["uses"]:
                known["kept"] = [line for line in filled(step["with"]["path"], known).splitlines() if line.strip()]
            continue
        if step["name"] == "Install d365setup":  # `test_steps` looks at it; here it would ask for packages
            continue
        done = job.run(step["run"], **{key: filled(value, known) for key, value in step.get("env", {}).items()})
        known["steps"][step.get("id", step["name"])] = {"outputs": dict(done.outputs)}
        failed = failed or (done if done.code else None)
    return failed or done, known


def report(known: dict[str, Any]) -> dict[str, Any]:
    return json.loads(Path(known["kept"][0]).read_text(encoding="utf-8"))


def test_from_the_pull_request_to_the_merge(act: Callable[..., Ran], hub: Hub, emulator: Emulator) -> None:
    done, known = act("pull_request", command="plan", comment="true")
    assert done is not None
    assert done.code == 0, done.out + done.err
    (comment,) = hub.comments
    assert "queue:Health bot" in comment["body"]
    assert [Path(each).name for each in known["kept"]] == ["report.json", "report.md"]

    hub.keep(report(known))
    hub.merge()
    merged, known = act("push", command="apply")
    assert merged is not None
    assert merged.code == 0, merged.out + merged.err
    assert known["steps"]["step"]["outputs"]["exit_code"] == "0"
    assert emulator.sql("SELECT count(*) FROM queue WHERE name = 'Health bot'") == [(1,)]
    verified, _ = act("push", command="verify")
    assert verified is not None
    assert verified.code == 0


@pytest.fixture
def comment(job: Job, hub: Hub, event: Callable[[str], dict[str, str]]) -> Callable[[str], Done]:
    """The step that comments, on a report that is there."""

    def call(report: str, **variables: str) -> Done:
        (job.temporary / "d365setup").mkdir(exist_ok=True)
        (job.temporary / "d365setup" / "report.md").write_text(report, encoding="utf-8")
        step = next(each for each in STEPS if each.get("name") == "Comment on the pull request")
        own = {"GITHUB_ACTION_PATH": str(ROOT), "RUNNER_TEMP": str(job.temporary), **event("pull_request")}
        return job.run(step["run"], **{**own, **hub.variables, **variables})

    return call


def test_the_comment_is_brought_up_to_date(comment: Callable[..., Done], hub: Hub) -> None:
    for _ in range(120):
        hub.say("another remark")
    assert comment("first").out == "commented on pull request 7\n"
    assert len(hub.comments) == 121
    assert comment("second").out == "brought the comment on pull request 7 up to date\n"
    assert len(hub.comments) == 121
    assert hub.comments[-1]["body"].endswith("-->\nsecond")
    comment("of another playbook", SETUP_PLAYBOOK="other.yaml")
    assert len(hub.comments) == 122


def test_the_comment_of_a_person_is_left_alone(comment: Callable[..., Done], hub: Hub) -> None:
    comment("first")
    forged = hub.comments.pop()["body"]
    hub.say(forged)
    comment("second")
    assert [each["user"]["type"] for each in hub.comments] == ["User", "Bot"]
    assert hub.comments[0]["body"] == forged


def test_a_comment_is_never_longer_than_github_takes(comment: Callable[..., Done], hub: Hub) -> None:
    comment("x" * 100_000)
    assert len(hub.comments[0]["body"]) == 65_000


@pytest.mark.parametrize(
    ("refuses", "told"),
    [
        (403, "GitHub refuses GET contoso/omnichannel/issues/7/comments (403): look at the job's `permissions`"),
        (500, "GitHub answered GET contoso/omnichannel/issues/7/comments with 500"),
    ],
)
def test_a_comment_that_is_refused_is_a_warning(
    refuses: int, told: str, comment: Callable[..., Done], hub: Hub
) -> None:
    hub.refuses = refuses
    done = comment("first")
    assert (done.code, done.out) == (0, f"::warning title=d365setup::{told}\n")


def test_no_pull_request_and_no_github_are_warnings_too(comment: Callable[..., Done]) -> None:
    assert comment("first", GITHUB_API_URL="http://127.0.0.1:9").out.startswith("::warning title=d365setup::GitHub can")
    assert comment("first", GITHUB_TOKEN="").out == "::warning title=d365setup::GITHUB_TOKEN is not set\n"


def test_a_plan_that_fails_is_commented_too_and_fails_the_job(act: Callable[..., Ran], hub: Hub) -> None:
    done, known = act("pull_request", command="plan", comment="true", expect_organization="Somebody else")
    assert done is not None
    assert done.code == 5
    assert "Somebody else" in hub.comments[0]["body"]
    assert known["kept"]


def test_nothing_is_commented_unless_asked_for(act: Callable[..., Ran], hub: Hub) -> None:
    act("push", command="plan", comment="true", playbook="none.yaml")
    act("pull_request", command="plan", playbook="none.yaml")
    assert not hub.requests


FINE = {"fingerprint": "sha256:" + "0" * 64}


def _no_pull(hub: Hub) -> None:
    hub.keep(FINE)


def _not_merged(hub: Hub) -> None:
    hub.merge()
    hub.pulls[0]["merged_at"] = None
    hub.keep(FINE)


def _merged_as_another(hub: Hub) -> None:
    hub.merge()
    hub.pulls[0]["merge_commit_sha"] = "c" * 40
    hub.keep(FINE)


def _no_artifact(hub: Hub) -> None:
    hub.merge()


def _expired(hub: Hub) -> None:
    hub.merge()
    hub.keep(FINE, expired=True)


def _of_a_fork(hub: Hub) -> None:
    hub.merge()
    hub.keep(FINE, fork=2)


def _of_an_earlier_commit(hub: Hub) -> None:
    hub.merge()
    hub.keep(FINE, head="d" * 40)


def _no_zip(hub: Hub) -> None:
    hub.merge()
    hub.keep(FINE)
    hub.files[1] = b"no zip"


def _no_report(hub: Hub) -> None:
    hub.merge()
    hub.keep("[[[[")


def _no_fingerprint(hub: Hub) -> None:
    hub.merge()
    hub.keep({"fingerprint": "sha256:0\nexit_code=0"})


def _refused(hub: Hub) -> None:
    hub.refuses = 403


@pytest.mark.parametrize(
    ("arrange", "told"),
    [
        (_no_pull, "no pull request led to commit"),
        (_not_merged, "no pull request led to commit"),
        (_merged_as_another, "no pull request led to commit"),
        (_no_artifact, f"no artifact d365setup-plan of commit {HEAD} is there"),
        (_expired, "no artifact d365setup-plan of commit"),
        (_of_a_fork, "no artifact d365setup-plan of commit"),
        (_of_an_earlier_commit, "no artifact d365setup-plan of commit"),
        (_no_zip, "the artifact holds no report of a plan"),
        (_no_report, "the artifact holds no report of a plan"),
        (_no_fingerprint, "the artifact's report has no fingerprint"),
        (_refused, "GitHub refuses GET"),
    ],
)
def test_what_was_not_reviewed_is_not_applied(
    arrange: Callable[[Hub], None], told: str, act: Callable[..., Ran], hub: Hub, emulator: Emulator
) -> None:
    arrange(hub)
    done, _ = act("push", command="apply")
    assert done is not None
    assert done.code == 5
    assert f"::error title=d365setup::{told}" in done.out
    assert not emulator.requests


def test_another_plan_than_the_reviewed_one_is_not_applied(act: Callable[..., Ran], hub: Hub) -> None:
    hub.merge()
    hub.keep(FINE)
    done, _ = act("push", command="apply")
    assert done is not None
    assert done.code == 5
    assert "the environment asks for another plan now than the one that was reviewed" in done.out


def test_the_newest_plan_of_the_pull_request_counts(job: Job, hub: Hub) -> None:
    newer = {"fingerprint": "sha256:" + "1" * 64}
    hub.merge()
    for held in (FINE, newer):
        hub.keep(held)
    hub.artifacts.reverse()
    done = job.run(f'python "{ROOT}/ci/github.py" reviewed', SETUP_ARTIFACT="d365setup-plan", **hub.variables)
    assert dict(done.outputs) == newer


def test_the_token_stays_with_github(job: Job, hub: Hub) -> None:
    hub.merge()
    hub.keep(FINE)
    job.run(f'python "{ROOT}/ci/github.py" reviewed', SETUP_ARTIFACT="d365setup-plan", **hub.variables)
    by_place = {path.startswith("/blob/"): authorization for _, path, authorization in hub.requests}
    assert by_place == {False: f"Bearer {TOKEN}", True: ""}


def test_the_saved_plan_leaves_the_runner_only_where_asked(act: Callable[..., Ran]) -> None:
    _, known = act("pull_request", command="plan", keep_plan="true", evidence="kept")
    assert [Path(each).name for each in known["kept"]] == ["report.json", "report.md", "plan.json", "kept"]
    assert all(Path(each).exists() for each in known["kept"][:3])


def test_no_value_is_pasted_into_shell() -> None:
    assert [step for step in STEPS if "${{" in step.get("run", "")] == []


def test_every_input_is_used_and_told() -> None:
    text = yaml.safe_dump(ACTION["runs"])
    assert {name for name in ACTION["inputs"] if f"inputs.{name}" not in text} == set()
    assert all(about["description"] for about in (*ACTION["inputs"].values(), *ACTION["outputs"].values()))


def test_a_value_is_never_taken_for_shell(act: Callable[..., Ran], job: Job) -> None:
    evil = '"$(touch pwned)`touch pwned`'
    act("pull_request", command=evil, playbook=evil, url=evil, comment="true", evidence=evil)
    assert not (job.folder / "pwned").exists()


def test_the_action_hands_the_bots_secret_on(act: Callable[..., Ran], job: Job, emulator: Emulator) -> None:
    bot = emulator.health_bot
    job.variables["D365_HEALTHBOT_PORTAL"] = bot.portal(emulator.url, "contoso-bot-ab12cd3")
    refused, _ = act("pull_request", command="plan", require_healthbot="true")
    assert refused is not None
    assert refused.code == 6
    done, known = act("pull_request", command="plan", require_healthbot="true", healthbot_secret=bot.secret)
    assert done is not None
    assert done.code == 0, done.out + done.err
    assert "scenario" in {each["kind"] for each in report(known)["changes"]}
    assert bot.secret not in done.out + done.err + done.summary + json.dumps(report(known))
