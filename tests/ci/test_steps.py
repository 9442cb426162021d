"""`ci/step.sh` and `ci/install.sh` as a runner runs them, against the emulator."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from d365setup.emulator import Emulator, entra
from tests.ci.runner import ROOT, VALUES, Done, Job


def writes(emulator: Emulator) -> int:
    return sum(operation[0] != "GET" for request in emulator.requests for operation in request.operations)


def told(job: Job, name: str = "report.json") -> dict:
    return json.loads((job.temporary / "d365setup" / name).read_text(encoding="utf-8"))


def test_a_plan_with_changes_is_no_failure(job: Job, emulator: Emulator) -> None:
    done = job.step("plan")
    assert done.code == 0, done.err
    report = told(job)
    assert done.outputs == {
        "exit_code": "3",
        "changes": str(len(report["changes"])),
        "fingerprint": report["fingerprint"],
        "saved_plan": str(job.temporary / "d365setup" / "plan.json"),
    }
    assert "queue:Health bot" in done.summary
    assert "queue:Health bot" in (job.temporary / "d365setup" / "report.md").read_text(encoding="utf-8")
    assert told(job, "plan.json")["schema"] == "d365setup/saved-plan/1"
    assert not writes(emulator)


def test_plan_apply_verify_plan(job: Job, emulator: Emulator) -> None:
    planned = job.step("plan")
    applied = job.step("apply", SETUP_REVIEWED=planned.outputs["fingerprint"])
    assert applied.code == 0, applied.err
    assert "\n11 verified, 2 unchanged\n" in applied.out
    assert applied.outputs["exit_code"] == "0"
    assert applied.outputs["run"].startswith("20")
    assert writes(emulator)
    assert job.step("verify").code == 0
    again = job.step("plan")
    assert (again.code, again.outputs["exit_code"], again.outputs["changes"]) == (0, "0", "0")
    nothing = job.step("apply", SETUP_REVIEWED=planned.outputs["fingerprint"])
    assert (nothing.code, nothing.outputs["exit_code"]) == (0, "0")


def test_another_plan_than_the_reviewed_one_is_refused(job: Job, emulator: Emulator) -> None:
    planned = job.step("plan")
    emulator.add("queue", name="Health bot", msdyn_isomnichannelqueue=True, queueviewtype=1, msdyn_priority=4)
    emulator.reset_log()
    done = job.step("apply", SETUP_REVIEWED=planned.outputs["fingerprint"])
    assert done.code == 5
    assert done.outputs["exit_code"] == "5"
    assert "::error title=d365setup::the environment asks for another plan now" in done.out
    assert not writes(emulator)


def test_a_saved_plan_is_applied_once(job: Job, emulator: Emulator) -> None:
    saved = job.step("plan").outputs["saved_plan"]
    assert job.step("apply", SETUP_SAVED_PLAN=saved, SETUP_MAX_AGE="1h").code == 0
    emulator.reset_log()
    done = job.step("apply", SETUP_SAVED_PLAN=saved)
    assert (done.code, done.outputs["exit_code"]) == (5, "5")
    assert "the saved plan is not applied" in done.err
    assert not writes(emulator)


@pytest.mark.parametrize(
    ("command", "variables", "code"),
    [
        ("plan", {"SETUP_ORGANIZATION": "Somebody else"}, 5),
        ("plan", {"SETUP_PLAYBOOK": "none.yaml"}, 2),
        ("plan", {"SETUP_PLAYBOOK": ""}, 2),
        ("apply", {"D365_ACCESS_TOKEN": ""}, 2),
        ("apply", {"SETUP_SAVED_PLAN": "none.json"}, 2),
        ("verify", {}, 3),
        ("destroy", {}, 2),
    ],
)
def test_what_fails_fails_the_job(job: Job, command: str, variables: dict[str, str], code: int) -> None:
    done = job.step(command, **variables)
    assert done.code == code, done.err
    if "exit_code" in done.outputs:
        assert done.outputs["exit_code"] == str(code)


FAILING = """
tests:
  - name: Nobody is left alone
    given: {BotHandOffTopic: Nurse}
    expect: {queue: Health bot}
"""


def test_a_plan_whose_tests_fail_fails_the_job(job: Job) -> None:
    playbook = job.folder / "bot.yaml"
    text = playbook.read_text(encoding="utf-8")
    kept = text.partition("\ntests:\n")[0]
    playbook.write_text(kept + FAILING, encoding="utf-8")
    done = job.step("plan")
    assert done.code == 4, done.out + done.err
    assert done.outputs["exit_code"] == "3"
    assert "::error title=d365setup::tests of the playbook failed" in done.out


@pytest.mark.parametrize("evil", ["$(touch pwned)`touch pwned`", '"; touch pwned; "', "--out=pwned"])
def test_no_value_is_taken_for_shell(job: Job, evil: str) -> None:
    names = ("PLAYBOOK", "ORGANIZATION", "VARIABLES", "URL", "PRUNE", "EVIDENCE", "REDACT", "HEALTHBOT_RESOURCE")
    assert job.step("plan", **{f"SETUP_{name}": evil for name in names}).code == 2
    saved = {f"SETUP_{name}": evil for name in (*names, "SAVED_PLAN", "MAX_AGE", "ALLOW_DELETE", "REVIEWED")}
    assert job.step("apply", **saved).code == 2
    assert job.step(evil).code == 2
    assert not (job.folder / "pwned").exists()


def test_variables_stand_on_lines_of_their_own(job: Job) -> None:
    given = "bot_email=one@contoso.example\n\nbot_application_id=5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e40\n"
    assert job.step("plan", SETUP_VARIABLES=given, SETUP_REDACT="false").code == 0
    assert told(job, "plan.json")["variables"] | {"health_bot_id": ""} == {
        "bot_email": "one@contoso.example",
        "bot_application_id": "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e40",
        "health_bot_id": "",
    }


def test_removals_need_their_consent(job: Job) -> None:
    assert job.step("apply", SETUP_REVIEWED="none").code == 0
    playbook = job.folder / "bot.yaml"
    text = playbook.read_text(encoding="utf-8").partition("\ntests:\n")[0]
    head, _, rest = text.partition("    routing_rules:\n")
    playbook.write_text(head + "    routing_rules:\n" + rest[rest.index("      - name: Everyone meets") :])
    saved = job.step("plan", SETUP_PRUNE="true").outputs["saved_plan"]
    assert {each["action"] for each in told(job)["changes"]} == {"delete"}
    refused = job.step("apply", SETUP_SAVED_PLAN=saved, SETUP_ALLOW_DELETE="routing_rule:3\nqueue:some\n")
    assert refused.code == 2
    assert "--allow-delete queue:some: it takes KIND:N" in refused.err
    assert job.step("apply", SETUP_SAVED_PLAN=saved, SETUP_ALLOW_DELETE="routing_rule:3\n").code == 0


def test_people_are_masked_unless_it_is_said_otherwise(job: Job) -> None:
    nurse = "nurse.one@contoso.example"
    playbook = job.folder / "bot.yaml"
    text = playbook.read_text(encoding="utf-8")
    playbook.write_text(text.replace("[Contoso Health Bot]", f"[Contoso Health Bot, {nurse}]"), encoding="utf-8")
    masked = job.step("plan")
    assert nurse not in masked.out + masked.summary + json.dumps(told(job))
    shown = job.step("plan", SETUP_REDACT="false")
    assert nurse in shown.out


def test_evidence_of_every_step_is_one_chain(job: Job) -> None:
    for command in ("plan", "apply", "verify"):
        done = job.step(command, SETUP_EVIDENCE="kept")
        assert done.code == 0, done.err
    names = [path.name.rsplit("-", 1)[1] for path in sorted((job.folder / "kept").glob("*.jsonl"))]
    assert names == ["plan.jsonl", "plan.jsonl", "apply.jsonl", "verify.jsonl"]
    looked = job.run("d365setup evidence verify kept")
    assert looked.code == 0, looked.out
    assert "made-up-token" not in "".join(path.read_text() for path in (job.folder / "kept").glob("*.jsonl"))


# -- the Health Bot's side ---------------------------------------------------------------------------------------------

SUBSCRIPTION = "/subscriptions/5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f"


@pytest.fixture
def bot(job: Job, emulator: Emulator) -> str:
    """The bot of the playbook beside the emulated environment; its secret is not in the job's variables."""
    job.variables["D365_HEALTHBOT_PORTAL"] = emulator.health_bot.portal(emulator.url, "contoso-bot-ab12cd3")
    return emulator.health_bot.secret


def files_of(job: Job) -> str:
    """Everything that was written below the job's folder."""
    return "".join(path.read_text("utf-8", "replace") for path in job.folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("product", [{}, {"TF_BUILD": "True"}], ids=["github", "azure"])
def test_the_bots_secret_reaches_the_tool_and_no_log(product: dict[str, str], job: Job, bot: str) -> None:
    given = {**product, "SETUP_HEALTHBOT_SECRET": bot, "SETUP_OUT": str(job.temporary / "d365setup")}
    kept = {"SETUP_EVIDENCE": "kept", "SETUP_REQUIRE_HEALTHBOT": "true"}
    planned = job.step("plan", **given, **kept)
    assert planned.code == 0, planned.err
    assert ("scenario", "Escalate to nurse") in {(each["kind"], each["key"]) for each in told(job)["changes"]}
    saved = str(job.temporary / "d365setup" / "plan.json")
    applied = job.step("apply", **given, **kept, SETUP_SAVED_PLAN=saved)
    assert applied.code == 0, applied.err
    assert "\n13 verified, 2 unchanged\n" in applied.out
    verified = job.step("verify", **given, **kept)
    assert verified.code == 0, verified.err
    for done in (planned, applied, verified):
        assert bot not in done.out + done.err + done.summary + str(done.outputs)
    assert bot not in files_of(job)


def test_without_the_secret_the_bot_is_left_out_unless_it_is_required(job: Job, bot: str, emulator: Emulator) -> None:
    del bot
    done = job.step("plan")
    assert done.code == 0, done.err
    assert "scenario" not in {each["kind"] for each in told(job)["changes"]}
    emulator.reset_log()
    refused = job.step("plan", SETUP_REQUIRE_HEALTHBOT="true")
    assert (refused.code, refused.outputs["exit_code"]) == (6, "6")
    assert "its secret is not known" in refused.err
    assert not emulator.requests


def test_a_secret_of_the_job_stays_where_the_step_gives_none(job: Job, bot: str) -> None:
    done = job.step("plan", D365_HEALTHBOT_SECRET=bot, SETUP_HEALTHBOT_SECRET="", SETUP_REQUIRE_HEALTHBOT="true")
    assert done.code == 0, done.err


def test_a_variable_that_azure_pipelines_does_not_know_is_no_secret(job: Job, emulator: Emulator) -> None:
    done = job.step("plan", TF_BUILD="True", SETUP_HEALTHBOT_SECRET="$(HEALTHBOT_SECRET)")
    assert done.code == 2
    assert "##vso[task.logissue type=error]the Health Bot's secret did not come: this run has no variable" in done.out
    assert not emulator.requests


def test_the_bots_resource_reaches_the_tool(job: Job, bot: str) -> None:
    """A token of Dataverse opens nothing in Azure: that it says so shows that it tried."""
    del bot
    done = job.step("plan", SETUP_HEALTHBOT_RESOURCE=SUBSCRIPTION)
    assert done.code == 2
    assert "D365_ACCESS_TOKEN is for Dataverse and cannot read the bot's secret from Azure" in done.err


def azure_outputs(done: Done) -> dict[str, str]:
    found = re.findall(r"^##vso\[task\.setvariable variable=(\w+);isOutput=true\](.*)$", done.out, re.MULTILINE)
    return dict(found)


def test_azure_pipelines_hears_the_same(job: Job) -> None:
    temporary = str(job.temporary)
    done = job.step("plan", TF_BUILD="True", AGENT_TEMPDIRECTORY=temporary)
    assert done.code == 0, done.err
    report = told(job)
    assert azure_outputs(done) == {
        "exit_code": "3",
        "changes": str(len(report["changes"])),
        "fingerprint": report["fingerprint"],
        "saved_plan": str(job.temporary / "d365setup" / "plan.json"),
    }
    refused = job.step("apply", TF_BUILD="True", AGENT_TEMPDIRECTORY=temporary, SETUP_REVIEWED="sha256:0")
    assert refused.code == 5
    assert "##vso[task.logissue type=error]the environment asks for another plan now" in refused.out


@pytest.fixture
def office(tmp_path: Path) -> entra.Entra:
    with entra.serve(tmp_path / "entra") as found:
        yield found


@pytest.mark.parametrize("product", ["github", "azure"])
def test_a_federated_sign_in_needs_no_secret(product: str, job: Job, office: entra.Entra) -> None:
    """The job's own identity token, of each product, and an emulated Entra ID that knows whom to trust."""
    with office.workload() as place:
        if product == "github":
            own = {**place.github(), "D365_CLIENT_ID": entra.PIPELINE}
        else:
            own = {**place.azure_pipelines(), "AZURESUBSCRIPTION_CLIENT_ID": entra.PIPELINE, "TF_BUILD": "True"}
        job.variables = {**VALUES, **own, "SETUP_PLAYBOOK": "bot.yaml", "SETUP_URL": office.url}
        job.variables |= {"D365_CA_BUNDLE": str(office.ca_bundle), "AGENT_TEMPDIRECTORY": str(job.temporary)}
        planned = job.step("plan", **own)
        assert planned.code == 0, planned.err
        saved = str(job.temporary / "d365setup" / "plan.json")
        applied = job.step("apply", SETUP_SAVED_PLAN=saved, SETUP_EVIDENCE="kept", **own)
    assert applied.code == 0, applied.err
    assert "11 verified" in applied.out
    (kept,) = (job.folder / "kept").glob("*.jsonl")
    identity = next(json.loads(line) for line in kept.read_text().splitlines() if '"record":"identity"' in line)
    assert identity["application"] == entra.PIPELINE
    assert identity["sign_in"] == ("GitHub Actions" if product == "github" else "Azure Pipelines (of an Azure task)")


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("", str(ROOT)),
        ("1.2.3", "d365setup==1.2.3"),
        ("git+https://git.contoso.example/d365setup@v1", "git+https://git.contoso.example/d365setup@v1"),
        ("$(touch pwned)", "$(touch pwned)"),
    ],
)
def test_what_is_installed(job: Job, version: str, wanted: str) -> None:
    job.tool("python", 'printf "%s\\n" "$@" > asked')
    done = job.run(f'bash "{ROOT}/ci/install.sh"', SETUP_VERSION=version)
    assert done.code == 0, done.err
    assert (job.folder / "asked").read_text().splitlines()[-1] == wanted
    assert done.out.startswith("d365setup ")
    assert not (job.folder / "pwned").exists()


def test_a_version_that_is_an_option_is_refused(job: Job) -> None:
    job.tool("python", "touch asked")
    assert job.run(f'bash "{ROOT}/ci/install.sh"', SETUP_VERSION="--index=https://a.example").code == 2
    assert not (job.folder / "asked").exists()
