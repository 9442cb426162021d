"""What the documents say holds: links lead somewhere, commands and snippets work, every fact that is used is told."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click
import pytest
import requests
import yaml
from click.testing import CliRunner

from d365setup.cli import main
from d365setup.emulator import Emulator, Options, Switches
from d365setup.kinds import discover, specs
from d365setup.playbook import load_file

ROOT = Path(__file__).parent.parent
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
HEALTH_BOT = ROOT / "playbooks" / "health-bot.yaml"
EXIT_CODES = {0, 1, 2, 3, 4, 5, 6, 7, 8, 130}
EXAMPLES = {
    "guid": "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f",
    "email": "somebody@contoso.example",
    "integer": "7",
    "text": "some text",
}

_FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Fence:
    """A fenced block: which document, on what line it begins, in what language, and what stands in it."""

    document: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"


def fences(document: Path) -> Iterator[Fence]:
    text = document.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        yield Fence(document, text.count("\n", 0, found.start()) + 1, found[1], found[2])


FENCES = tuple(fence for document in DOCUMENTS for fence in fences(document))


def named(fence: Fence) -> str:
    return str(fence)


def of_language(*languages: str) -> list[Fence]:
    return [fence for fence in FENCES if fence.language in languages]


def readme(mark: str) -> str:
    """The one command behind this mark, as `.ci/run` takes it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(rf"^<!-- {mark} -->\n```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert text.count(f"<!-- {mark} -->") == len(found) == 1
    (command,) = found[0].splitlines()
    return str(command)


def prose(document: Path) -> str:
    return _FENCE.sub("", document.read_text(encoding="utf-8"))


def anchors(document: Path) -> set[str]:
    """The anchors GitHub makes of headings: lower case, blanks to hyphens, other punctuation gone."""
    titles = re.findall(r"^#+ +(.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


# -- links -----------------------------------------------------------------------------------------------------------


def relative_links(document: Path) -> list[str]:
    return [link for link in _LINK.findall(prose(document)) if not re.match(r"[a-z]+:", link)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for link in relative_links(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.is_relative_to(ROOT), link
        assert target.exists(), f"{document.name} links to {link}, which is not there"
        if anchor:
            assert anchor in anchors(target), f"{document.name} links to {link}, which has no such heading"


def test_the_documents_are_found_from_the_readme() -> None:
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in relative_links(ROOT / "README.md")}
    assert set(DOCUMENTS[1:]) <= linked


def test_every_fence_is_closed_and_says_its_language() -> None:
    for document in DOCUMENTS:
        marks = re.findall(r"^```.*$", document.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(marks) % 2 == 0, document.name
        assert all(mark != "```" for mark in marks[::2]), f"{document.name}: a fence without a language"


# -- commands --------------------------------------------------------------------------------------------------------

_BEFORE = re.compile(r"(&&|\|\||[;|&(){}!$-]|[A-Za-z_]\w*=.*|run:|script:|bash:|if|then|do|time)")


def calls(fence: Fence) -> Iterator[list[str]]:
    """The arguments of each `d365setup …` in a block of shell, or of YAML with shell in it."""
    for line in fence.text.replace("\\\n", " ").splitlines():
        if "d365setup" not in line or line.lstrip().startswith("#"):
            continue
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        yield from _calls(list(lexer))


def _calls(tokens: list[str]) -> Iterator[list[str]]:
    for index, token in enumerate(tokens):
        is_command = token == "d365setup" or token.endswith("/d365setup")
        if is_command and (index == 0 or _BEFORE.fullmatch(tokens[index - 1])):
            rest = tokens[index + 1 :]
            ends = (place for place, each in enumerate(rest) if re.fullmatch(r"[();<>|&]+", each))
            yield rest[: next(ends, len(rest))]


def resolve(arguments: list[str]) -> None:
    """Raise what click raises for a command, option or value that is not there."""
    command: click.Command = main
    rest = list(arguments)
    name = "d365setup"
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        found = command.get_command(click.Context(command, **command.context_settings), name)
        if found is None:
            raise click.UsageError(f"no such command: {name}")
        command = found
    if isinstance(command, click.Group) and not rest:
        raise click.UsageError(f"{name} needs a command")
    command.make_context(name, rest, help_option_names=["-h", "--help"])  # click keeps what it is asked first


SHELL = [fence for fence in of_language("sh", "bash", "console", "yaml", "yml") if list(calls(fence))]


@pytest.mark.parametrize("fence", SHELL, ids=named)
def test_commands_in_fences_exist(fence: Fence) -> None:
    for arguments in calls(fence):
        try:
            resolve(arguments)
        except click.exceptions.Exit:  # --help and --version end the call
            continue
        except click.ClickException as error:
            pytest.fail(f"{fence}: d365setup {shlex.join(arguments)}: {error.format_message()}")


def test_playbooks_named_in_commands_are_there() -> None:
    given = {each for fence in SHELL for arguments in calls(fence) for each in arguments}
    shipped = {each for each in given if each.startswith("playbooks/")}
    assert shipped
    assert all((ROOT / each).is_file() for each in shipped)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("d365setup plan a.yaml --emulator > plan.txt || [ $? -eq 3 ]", [["plan", "a.yaml", "--emulator"]]),
        ("x && .venv/bin/d365setup apply a.yaml --yes | tee b", [["apply", "a.yaml", "--yes"]]),
        ("  - run: D365_ACCESS_TOKEN=any d365setup verify a.yaml", [["verify", "a.yaml"]]),
        ("cd d365setup && d365setup emulator serve &", [["emulator", "serve"]]),
        ("pip install 'd365setup[emulator]'", []),
        ("# d365setup nothing", []),
    ],
)
def test_it_sees_commands(line: str, found: list[list[str]]) -> None:
    assert list(calls(Fence(ROOT, 1, "sh", line))) == found


@pytest.mark.parametrize(
    "line", ["audti", "plan", "plan a.yaml --outt b", "apply a.yaml --transaction all", "emulator", "emulator stop"]
)
def test_it_sees_what_is_wrong_with_a_command(line: str) -> None:
    with pytest.raises(click.ClickException):
        resolve(line.split())


# -- the README's own promises -----------------------------------------------------------------------------------------


def test_the_two_commands_are_one_line_each_and_set_themselves_up() -> None:
    install = "python3 -m venv .venv && .venv/bin/pip install --quiet "
    tool = ".venv/bin/d365setup apply playbooks/health-bot.yaml --emulator --yes"
    assert readme("try") == f"{install}'.[emulator]' && {tool}"
    assert readme("test") == f"{install}--editable '.[dev]' && .venv/bin/python -m pytest -n auto"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the playbooks in it, and nothing of ours in the environment."""
    for name in ("D365_URL", "D365_STATE_DIR", "BOT_APPLICATION_ID", "HEALTH_BOT_ID"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "playbooks").symlink_to(ROOT / "playbooks")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments))
    return result.exit_code, result.output


def outputs(heading: str) -> list[str]:
    """The blocks of output under a heading of the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [found[2] for found in _FENCE.finditer(section) if found[1] == "text"]


def changes_by_hand() -> list[tuple[str, str]]:
    """Path and body of each PATCH the README sends to the emulator."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("curl ")]
    return [(line[-1].removeprefix("http://127.0.0.1:5000/"), line[line.index("-d") + 1]) for line in lines]


def patch(emulator: Emulator, path: str, body: str) -> None:
    headers = {"Authorization": "Bearer any", "Content-Type": "application/json", "If-Match": "*"}
    answer = requests.patch(f"{emulator.url}/{path}", data=body, headers=headers, timeout=30)
    assert answer.status_code == 204, f"{path} leads to no row: {answer.text}"


def test_what_the_readme_shows_is_what_happens(folder: Path) -> None:
    apply = ("apply", "playbooks/health-bot.yaml", "--emulator", "--yes")
    verify = ("verify", "playbooks/health-bot.yaml", "--emulator")
    disabled, renamed = changes_by_hand()

    code, printed = run(*apply)
    (shown,) = outputs("Try it")
    assert code == 0
    assert shown.strip() in printed
    code, printed = run(*apply)
    assert code == 0
    assert "nothing to change: 15 things are as the playbook says" in printed

    emulator = Emulator(folder / ".d365setup" / "emulator.db", Options())
    with closing(emulator), emulator.serve():
        patch(emulator, *disabled)
        code, printed = run(*verify)
        (shown,) = outputs("Five minutes with the emulator")
        assert code == 3
        assert shown.strip() in printed
        assert run(*apply)[0] == 0
        patch(emulator, *renamed)
        code, printed = run(*verify)
    assert code == 1
    assert "BotHandOffTopic" in printed
    assert "BotHandoffTopic" in printed


# -- playbooks and pipelines -------------------------------------------------------------------------------------------

PLAYBOOKS = [fence for fence in of_language("yaml") if fence.text.startswith("playbook: 1")]
BASE = """\
playbook: 1
name: a-base
variables: {clinic: {default: Central}}
queues:
  - {name: Billing, members: [billing.one@contoso.example]}
  - {name: Nurses, members: [nurse.one@contoso.example]}
workstreams:
  - name: Patient chat
    context_variables: [{name: Urgency, type: text}]
    routing_rules:
      - {name: Any hand-off, when: {variable: Urgency, operator: has a value}, queue: Nurses}
"""


def values(text: str) -> dict[str, str]:
    """An example value for each variable of a snippet that has none."""
    declared: dict[str, Any] = yaml.safe_load(text).get("variables", {})
    return {
        name: EXAMPLES[about.get("format", "text")]
        for name, about in declared.items()
        if "default" not in about and "example" not in about
    }


@pytest.mark.parametrize("fence", PLAYBOOKS, ids=named)
def test_playbook_snippets_load(fence: Fence, tmp_path: Path) -> None:
    assert len(PLAYBOOKS) >= 2
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    file = tmp_path / "snippet.yaml"
    file.write_text(fence.text, encoding="utf-8")
    playbook = load_file(file, specs(discover()), values(fence.text), {}, examples=True)
    assert playbook.desired.specs


@pytest.mark.parametrize("fence", of_language("yaml"), ids=named)
def test_yaml_is_yaml(fence: Fence) -> None:
    documents = list(yaml.safe_load_all(fence.text))
    assert documents
    assert all(documents)


def test_the_gate_runs_in_ci_on_both_ends_of_the_supported_range() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    assert workflow["permissions"] == {"contents": "read"}
    assert job["strategy"]["matrix"]["python-version"] == ["3.11", "3.13"]
    assert [step["run"] for step in job["steps"] if "run" in step] == ["bash .ci/run"]


def actions(document: Any) -> Iterator[str]:
    """What a workflow `uses`."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from [value] if key == "uses" else actions(value)
    elif isinstance(document, list):
        for each in document:
            yield from actions(each)


def test_actions_are_pinned_to_a_major_version() -> None:
    texts = [fence.text for fence in of_language("yaml") if "uses:" in fence.text]
    texts += [(ROOT / name).read_text(encoding="utf-8") for name in (".github/workflows/ci.yml", "action.yml")]
    used = {each for text in texts for each in actions(yaml.safe_load(text))}
    assert len(texts) >= 2
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@v[0-9]+|\./", each) for each in used)


# -- exit codes, variables, changelog ----------------------------------------------------------------------------------


def told_codes(document: Path) -> set[int]:
    return {
        int(code) for code in re.findall(r"^\| *`?([0-9]+)`? *\|", document.read_text(encoding="utf-8"), re.MULTILINE)
    }


@pytest.mark.parametrize("name", ["cli.md", "ci.md"])
def test_every_exit_code_is_told(name: str) -> None:
    assert told_codes(ROOT / "docs" / name) == EXIT_CODES


def test_the_readme_tells_the_exit_codes_a_pipeline_meets() -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## In a pipeline")[2].partition("\n## ")[0]
    told = {int(code) for code in re.findall(r"\b([0-9]+) [a-z]", section)}
    assert told == EXIT_CODES - {130}


def test_variables_are_those_of_the_example() -> None:
    known = set(re.findall(r"^#? ?([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    for document in DOCUMENTS:
        named_here = set(re.findall(r"\bD365_[A-Z_]+\b", document.read_text(encoding="utf-8")))
        assert named_here <= known, document.name


def test_the_changelog_begins_with_what_is_unreleased() -> None:
    titles = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert titles[0] == "Unreleased"


# -- docs/dataverse.md -------------------------------------------------------------------------------------------------

FACTS = (ROOT / "docs" / "dataverse.md").read_text(encoding="utf-8")
KINDS = sorted((ROOT / "d365setup" / "kinds").glob("*.py"))
OPTION = 19_000_000  # option values of Dataverse are larger than any count or length in this code
_TABLE_WORD = re.compile(r"_?msdyn_[A-Za-z_]+|[a-z]+_association|\bqueueviewtype\b|\bdeletedstate\b|\baccessmode\b")


def literals(file: Path) -> Iterator[Any]:
    """Every constant in a module except the docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in texts:
            yield node.value


def numbers(file: Path) -> set[int]:
    return {each for each in literals(file) if isinstance(each, int) and each > OPTION}


def words(file: Path) -> set[str]:
    """Names of sets, columns and navigation properties in a module's text constants."""
    found = {word for each in literals(file) if isinstance(each, str) for word in _TABLE_WORD.findall(each)}
    return {re.sub(r"^_(\w+)_value$", r"\1", word) for word in found}  # a lookup is read under that alias


@pytest.mark.parametrize("file", KINDS, ids=lambda path: path.stem)
def test_every_option_value_is_told(file: Path) -> None:
    assert {each for each in numbers(file) if not re.search(rf"\b{each}\b", FACTS)} == set()


@pytest.mark.parametrize("file", KINDS, ids=lambda path: path.stem)
def test_every_column_is_told(file: Path) -> None:
    told = {re.sub(r"^_(\w+)_value$", r"\1", word) for word in _TABLE_WORD.findall(FACTS)}
    missing = {word for word in words(file) if word not in told and not word.endswith("_")}
    assert missing == set()


def test_there_are_facts_to_tell() -> None:
    assert {192350001, 717210001, 2147483647} <= {each for file in KINDS for each in numbers(file)}
    assert {"msdyn_agentType", "queuemembership_association"} <= {each for file in KINDS for each in words(file)}


def test_every_small_option_value_is_told_with_its_word() -> None:
    modes = importlib.import_module("d365setup.kinds.bot_user").ACCESS_MODES
    line = next(line for line in FACTS.splitlines() if line.startswith("| `accessmode` |"))
    assert all(f"{code} {word}" in line for word, code in modes.items())


@pytest.mark.parametrize("kind", list(discover()))
def test_every_kind_has_a_section(kind: str) -> None:
    assert f"\n### `{kind}`\n" in FACTS


@pytest.mark.parametrize("switch", [field.name for field in fields(Switches)])
def test_every_switch_is_told_with_its_values(switch: str) -> None:
    line = next((line for line in FACTS.splitlines() if line.startswith(f"| `{switch}` |")), "")
    told = line.split("|")[2] if line else ""
    default = str(getattr(Switches(), switch))
    choices = [str(value) for value in get_args(get_type_hints(Switches)[switch])]
    assert re.findall(r"`([^`]+)`", told) == choices if choices else default in told
    assert not choices or choices[0] == default, "the first value is said to be the default"


def test_no_switch_is_told_that_is_not_there() -> None:
    section = FACTS.partition("\n## Where the evidence conflicts or is silent\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == {field.name for field in fields(Switches)}


@pytest.mark.parametrize(
    "limit", ["32 KB", "64 KB", "1000", "500", "1,048,576", "200", "100 |", "0x8004430c", "x-ms-dop-hint"]
)
def test_every_limit_is_told(limit: str) -> None:
    assert limit in FACTS.partition("\n## Limits\n")[2].partition("\n## ")[0]


# -- nothing of this machine -------------------------------------------------------------------------------------------

_PATHS = r"(?<![\w.-])/(?:work|root|opt/[a-z]+|home/[a-z]+)/"
_HOSTS = r"pypi[.]org|pythonhosted[.]org|registry[.]npmjs|index[-]url"  # brackets: it must not find itself
_FOREIGN = re.compile(f"{_PATHS}|{_HOSTS}")


def tracked() -> list[Path]:
    """Files git knows or would add; outside a git checkout there is nothing to look at."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        found = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603  # fixed words
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not in a git checkout")
    files = [ROOT / name for name in found.stdout.decode().split("\0") if name]
    return [file for file in files if file.is_file()]


def test_no_file_holds_a_path_of_a_machine_or_a_package_host() -> None:
    held = {
        f"{file.relative_to(ROOT)}: {found[0]}"
        for file in tracked()
        if (found := _FOREIGN.search(file.read_bytes().decode("utf-8", "replace")))
    }
    assert held == set()


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("see /" + "work/main", True),
        ("https://pypi." + "org/simple", True),
        (".github/workflows/ci.yml", False),
        ("docs/" + "work/a", False),
    ],
)
def test_it_sees_paths_and_hosts(text: str, *, held: bool) -> None:
    assert bool(_FOREIGN.search(text)) is held
