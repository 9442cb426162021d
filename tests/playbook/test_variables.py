"""Variables: where values come from, what they must be, how they get into texts, and what is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d365setup.conditions import Operator, Test
from d365setup.errors import PlaybookError
from d365setup.kinds.queue import Queue
from d365setup.kinds.routing_rule import RoutingRule
from d365setup.playbook import Environ, Playbook, VariableUse, environment, load
from tests.playbook.cases import SPECS

HEAD = "playbook: 1\nname: contoso\n"


def loaded(text: str, given_: dict[str, str] | None = None, environ: dict[str, str] | None = None) -> Playbook:
    return load(HEAD + text, SPECS, given_ or {}, environ=environ or {})


def told(text: str, given_: dict[str, str] | None = None, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(PlaybookError) as caught:
        loaded(text, given_, environ)
    return str(caught.value)


FULL = "variables: {a: {env: CONTOSO_A, default: from default, example: from example}}\ndescription: ${a}\n"
BARE = "variables: {a: {env: CONTOSO_A, example: from example}}\ndescription: ${a}\n"


@pytest.mark.parametrize(
    ("text", "given_", "environ", "use"),
    [
        (FULL, {"a": "from var"}, {"CONTOSO_A": "from env"}, VariableUse("a", "from var", "--var", "CONTOSO_A")),
        (FULL, {}, {"CONTOSO_A": "from env"}, VariableUse("a", "from env", "environment", "CONTOSO_A")),
        (FULL, {}, {"a": "no"}, VariableUse("a", "from default", "default", "CONTOSO_A")),
        (BARE, {}, {}, VariableUse("a", "from example", "example", "CONTOSO_A")),
        (BARE, {}, {"CONTOSO_A": "from env"}, VariableUse("a", "from env", "environment", "CONTOSO_A")),
    ],
)
def test_the_strongest_source_wins(
    text: str, given_: dict[str, str], environ: dict[str, str], use: VariableUse
) -> None:
    playbook = load(HEAD + text, SPECS, given_, environ=environ, examples=True)
    assert playbook.variables == (use,)
    assert playbook.description == use.value


def test_an_example_is_no_value_in_earnest() -> None:
    assert "the variable 'a' has no value" in told(BARE)


def test_only_used_variables_are_reported() -> None:
    playbook = loaded("variables: {a: {default: x1}, b: {default: x2}}\ndescription: ${b}\n")
    assert [use.name for use in playbook.variables] == ["b"]


def test_without_env_the_environment_is_not_asked() -> None:
    text = "variables: {HOME: {default: x1}}\ndescription: ${HOME}\n"
    assert loaded(text, environ={"HOME": "elsewhere"}).description == "x1"


def test_an_environment_variable_that_is_empty_is_no_value() -> None:
    assert told(FULL, environ={"CONTOSO_A": ""}) == (
        "playbook.yaml:3:13: the environment variable CONTOSO_A, meant for 'a', is set but empty: "
        "give it a value or unset it"
    )


def test_an_empty_text_may_be_given_by_hand() -> None:
    assert loaded(FULL, {"a": ""}).description == ""


def test_var_without_a_declaration() -> None:
    assert told("variables:\n  region: {default: x1}\n", {"regoin": "north"}) == (
        "playbook.yaml:4:3: --var regoin: the playbook declares no such variable; did you mean 'region'?"
    )
    assert told("queues: []\n", {"a": "x1"}) == "playbook.yaml:1:1: --var a: the playbook declares no such variable"


WRONG = {
    ("guid", "x1"): "is not a GUID (8-4-4-4-12 hexadecimal digits)",
    ("email", "nobody"): "is not an e-mail address",
    ("email", "a@b@c.example"): "is not an e-mail address",
    ("integer", "7.5"): "is not a whole number",
    ("integer", "007"): "is not a whole number",
    ("integer", ""): "is not a whole number",
    ("text", "a\x00b"): "is longer than 4000 characters or holds a control character",
}


@pytest.mark.parametrize(("form", "value"), WRONG)
def test_a_value_of_the_wrong_format_says_where_it_came_from(form: str, value: str) -> None:
    text = f"variables: {{a: {{env: CONTOSO_A, format: {form}}}}}\ndescription: ${{a}}\n"
    problem = f"{value!r} {WRONG[form, value]}"
    assert told(text, {"a": value}) == f"playbook.yaml:3:13: the value that --var gives 'a': {problem}"
    if value:
        where = "the environment variable CONTOSO_A, meant for"
        assert told(text, environ={"CONTOSO_A": value}) == f"playbook.yaml:3:13: {where} 'a': {problem}"


def test_a_dotenv_file_is_named_as_such() -> None:
    environ = Environ({"CONTOSO_A": "x1"})
    environ.from_file = frozenset({"CONTOSO_A"})
    text = "variables: {a: {env: CONTOSO_A, format: guid}}\n"
    assert told(text, environ=environ) == (
        "playbook.yaml:3:13: CONTOSO_A in the .env file, meant for 'a': 'x1' is not a GUID "
        "(8-4-4-4-12 hexadecimal digits)"
    )
    assert loaded(FULL, environ=environ).variables == (VariableUse("a", "x1", ".env", "CONTOSO_A"),)


TEXTS = {
    "${a}": "x1",
    "'${a}'": "x1",
    "in ${a} and ${a}": "in x1 and x1",
    "$${a}": "${a}",
    "$$${a}": "$${a}",
    "$a": "$a",
    "a $ b": "a $ b",
    "'{a}'": "{a}",
    "'${i}'": "7",
    "${i}${i}": "77",
}


@pytest.mark.parametrize("text", TEXTS)
def test_how_texts_are_filled(text: str) -> None:
    playbook = loaded(f"variables: {{a: {{default: x1}}, i: {{format: integer, default: 7}}}}\ndescription: {text}\n")
    assert playbook.description == TEXTS[text]


def test_a_number_where_a_number_is_wanted_and_text_where_text_is() -> None:
    fields = "{name: '${i}', description: '${i}', priority: '${i}'}"
    text = f"variables: {{i: {{format: integer, default: 7}}}}\nqueues: [{fields}]\n"
    queue = loaded(text, {"i": "8"}).desired.of(Queue)[0]
    assert (queue.name, queue.description, queue.priority) == ("8", "8", 8)


def test_a_number_in_a_condition() -> None:
    playbook = loaded("""
variables: {i: {format: integer, default: 7}, t: {default: '7'}}
queues: [{name: Q}]
workstreams:
  - name: W
    context_variables: [{name: Sev, type: number}, {name: Topic, type: text}]
    routing_rules:
      - {name: R1, when: {Sev: '${i}'}, queue: Q}
      - {name: R2, when: {Topic: '${t}'}, queue: Q}
""")
    conditions = [rule.when for rule in playbook.desired.of(RoutingRule)]
    assert conditions == [Test("Sev", Operator.EQUALS, 7), Test("Topic", Operator.EQUALS, "7")]


@given(st.text(alphabet=st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"])))
@settings(deadline=None)
def test_a_value_is_never_read_as_anything_but_text(value: str) -> None:
    assert loaded("variables: {a: {}}\ndescription: <${a}>\n", {"a": value}).description == f"<{value}>"


def test_values_do_not_grow_without_bound() -> None:
    use = "${a}" * 2000
    message = told(f"variables: {{a: {{}}}}\ndescription: {use}\nname2: {use}\n", {"a": "x" * 4000})
    assert "playbook.yaml:4:14: with their variables filled in, the texts up to here are longer than" in message


# --- what is not shown


@pytest.mark.parametrize("name", ["api_token", "CLIENT_SECRET", "admin_password", "signing_key"])
def test_what_looks_like_a_secret_is_not_shown(name: str) -> None:
    text = f"""
variables: {{{name}: {{}}}}
queues:
  - {{name: 'Q ${{{name}}}', type: '${{{name}}}'}}
  - {{name: '${{{name}}}'}}
  - {{name: '${{{name}}}'}}
  - {{name: R, priority: '${{{name}}}', members: ['${{{name}}}']}}
workstreams: [{{name: W, fallback_queue: '${{{name}}}s'}}]
"""
    message = told(text, {name: "hunter2"})
    assert len(message.splitlines()) >= 4
    assert "hunter2" not in message


def test_long_values_are_not_shown() -> None:
    value = "sesame" * 20
    assert "sesame" not in told("variables: {a: {format: guid}}\n", {"a": value})
    text = "variables: {a: {}}\nqueues: [{name: Q, type: '${a}'}]\nworkstreams: [{name: W, fallback_queue: '${a}'}]\n"
    message = told(text, {"a": value})
    assert "sesame" not in message
    assert "'${a}'" in message


# --- the environment


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("CONTOSO_A=file\nCONTOSO_B='two words'\nCONTOSO_C=${CONTOSO_A}\nCONTOSO_D\n")
    monkeypatch.setenv("CONTOSO_A", "process")
    monkeypatch.delenv("CONTOSO_B", raising=False)
    found = environment(tmp_path)
    assert (found["CONTOSO_A"], found["CONTOSO_B"], found["CONTOSO_C"]) == ("process", "two words", "${CONTOSO_A}")
    assert "CONTOSO_D" not in found
    assert found.from_file == {"CONTOSO_B", "CONTOSO_C"}


def test_without_a_file_it_is_the_process_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTOSO_A", "process")
    found = environment(tmp_path)
    assert found["CONTOSO_A"] == "process"
    assert found.from_file == frozenset()


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(PlaybookError, match=r"\.env:1:1: the file is larger than 1 MiB"):
        environment(tmp_path)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlaybookError, match=r"\.env:1:1: the file cannot be read as UTF-8 text"):
        environment(tmp_path)
