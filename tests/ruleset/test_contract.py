import pytest

from d365setup.ruleset import RuleSetError, read_contract

# The form in which the platform stores it; several on one line.
STORED = """<contract version="1"><entity logical-name="msdyn_ocliveworkitem" key="msdyn_ocliveworkitem" />
  <complex key="liveworkitemcontext"><variable name="HandoffTopic" data-type="string" />\
<variable name="Score" data-type="number" /></complex></contract>"""


def test_a_stored_contract() -> None:
    assert read_contract(STORED) == {"HandoffTopic": "string", "Score": "number"}
    assert list(read_contract(STORED.replace("\n", "\r\n"))) == ["HandoffTopic", "Score"]


def contract(*variables: str, key: str = "liveworkitemcontext") -> str:
    return f'<contract version="1"><complex key="{key}">{"".join(variables)}</complex></contract>'


A, B = '<variable name="A" data-type="string"/>', '<variable name="B" data-type="boolean"/>'
PREFIXED = (
    contract(A).replace("<", "<c:").replace("<c:/", "</c:").replace("</c:complex>", "<variable name='x'/></c:complex>")
)
READ = {
    "none": ("<contract/>", {}),
    "no variables": (contract(), {}),
    "another group": (contract(A, key="other"), {}),
    "two groups": (contract(A, f'</complex><complex key="liveworkitemcontext">{B}'), {"A": "string", "B": "boolean"}),
    "twice": (contract(A, '<variable name="A" data-type="number"/>'), {"A": "string"}),
    "without type": (contract('<variable name="A"/>'), {"A": ""}),
    "without name": (contract('<variable data-type="string"/>', B), {"B": "boolean"}),
    "something else": (contract('<other name="C" data-type="string"/>'), {}),
    "escapes": (contract('<variable data-type="string" name="A &amp; B"/>'), {"A & B": "string"}),
    "a prefix": (PREFIXED, {"A": "string"}),
}


@pytest.mark.parametrize(("text", "result"), READ.values(), ids=READ)
def test_read(text: str, result: dict[str, str]) -> None:
    assert read_contract(text) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The contract is not well-formed XML: no element found, line 1, column 1"),
        ("<decision/>", "The contract is not a <contract> but a <decision>, line 1, column 1"),
        ("<!DOCTYPE contract><contract/>", "The contract has a DOCTYPE, line 1"),
        ("<contract>" + " " * 1_048_576, "The contract has 1048586 characters; the most is 1048576"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(RuleSetError) as caught:
        read_contract(text)
    assert str(caught.value).startswith(message)
