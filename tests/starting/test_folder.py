"""Whatever folder `init` is called in: nothing that is there is touched, and nothing is written outside or half."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from d365setup.cli import main
from d365setup.starting import Choices, new_files
from tests.cli.test_init import on_terminal

FILES = [each.path for ci in ("github", "azure") for each in new_files(Choices(ci=ci))]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="links and modes need rights there")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def init(*args: str) -> tuple[int, str]:
    ended = CliRunner().invoke(main, ["init", *args], prog_name="d365setup")
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    return ended.exit_code, ended.output


def ci_of(path: str) -> str:
    return "azure" if path.startswith("azure") else "github"


def tree(folder: Path) -> dict[str, str | None]:
    """Every path below it: a file's text, a link's target, None for a folder."""
    return {
        path.relative_to(folder).as_posix(): f"-> {path.readlink()}" if path.is_symlink()
        else path.read_text(encoding="utf-8") if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }  # fmt: skip


@pytest.mark.parametrize("path", dict.fromkeys(FILES))
def test_a_file_that_is_there_is_kept_whatever_it_is(path: str) -> None:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"mine\r\n\xff")
    file.chmod(0o400)
    code, out = init(".", "--ci", ci_of(path))
    assert code == 0
    assert f"kept   {path}  (there is one already, and it is left alone)" in out
    assert file.read_bytes() == b"mine\r\n\xff"


@POSIX
@pytest.mark.parametrize("path", dict.fromkeys(FILES))
@pytest.mark.parametrize("leads", ["a file", "nowhere"])
def test_a_link_is_left_alone_and_not_followed(path: str, leads: str, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    if leads == "a file":
        target.write_text("theirs", encoding="utf-8")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).symlink_to(target)
    code, out = init(".", "--ci", ci_of(path))
    assert code == 0
    assert f"kept   {path}  (a link of this name is there" in out
    assert Path(path).readlink() == target
    assert target.exists() == (leads == "a file")
    assert leads == "nowhere" or target.read_text(encoding="utf-8") == "theirs"


@pytest.mark.parametrize("path", dict.fromkeys(FILES))
def test_a_folder_in_a_files_place_is_told(path: str) -> None:
    (Path(path) / "inside").mkdir(parents=True)
    code, out = init(".", "--ci", ci_of(path))
    assert code == 0
    assert f"kept   {path}  (a folder of this name is there; move it away" in out
    assert (Path(path) / "inside").is_dir()


def test_a_folder_with_other_things_in_it_keeps_them() -> None:
    Path("notes.txt").write_text("mine", encoding="utf-8")
    Path(".github/workflows").mkdir(parents=True)
    Path(".github/workflows/other.yml").write_text("mine", encoding="utf-8")
    before = tree(Path())
    code, _ = init()
    assert code == 0
    after = tree(Path())
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {each.path for each in new_files(Choices())}


def test_folders_are_made_as_deep_as_asked() -> None:
    code, out = init("one/two/three", "--ci", "none")
    assert code == 0
    assert "\n  cd one/two/three " in out
    assert Path("one/two/three/playbook.yaml").is_file()


@POSIX
@pytest.mark.parametrize("way", ["a file", "a link that leads nowhere", "a link that leads out"])
def test_what_is_in_the_way_of_a_file_stops_it_before_the_first(way: str, tmp_path: Path) -> None:
    if way == "a file":
        Path(".github").write_text("", encoding="utf-8")
    else:
        Path(".github").symlink_to(tmp_path / "out")
    if way == "a link that leads out":
        (tmp_path / "out").mkdir()
    before = tree(tmp_path)
    code, out = init()
    assert code == 2
    assert "othing was written" in out
    assert tree(tmp_path) == before


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="only Linux has folders where not even root can write")
@pytest.mark.parametrize("folder", ["/proc/self", "/proc/d365setup"])  # one that is there, one that cannot be made
def test_a_folder_that_nobody_may_write_in(folder: str) -> None:
    code, out = init(folder)
    assert code == 2
    assert f"{folder}/playbook.yaml cannot be written" in out


def test_questions_and_options_give_the_same_files(tmp_path: Path) -> None:
    answers = "Intake Bot\nIntake\nnurse.two@contoso.example\nIntake chat\nazure\n"
    assert on_terminal(answers)[0] == 0
    options = ("--bot-name", "Intake Bot", "--queue", "Intake", "--people", "nurse.two@contoso.example")
    assert init("other", *options, "--workstream", "Intake chat", "--ci", "azure")[0] == 0
    assert tree(Path("new")) == tree(Path("other"))


def test_every_line_is_printed_once_and_names_what_was_written() -> None:
    _, out = init("--ci", "github")
    written = [line.split()[1] for line in out.splitlines() if line.startswith("wrote")]
    assert written == [each.path for each in new_files(Choices())]
    assert "before .github/workflows/d365setup.yml runs: put where you keep d365setup" in out
    _, again = init("--ci", "github")
    assert "before .github" not in again  # it is not ours any more
