"""What the runbook tells of exists: rules, drills, headings, commands, and what the commands name that want Docker or systemd."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from forecasting.cli import app
from forecasting.drills import DRILLS
from forecasting.rules import RULES
from forecasting.settings import load_settings
from tests.conftest import CHECKOUT, need
from tests.deploy.runbook import BLOCKS, HEADINGS, HOST, LINKS, MENTIONED, PLACEHOLDER, ROWS, Block, sections, slug
from tests.deploy.test_compose import COMPOSE, SERVICES


def test_every_rule_and_every_drill_is_told_of_and_no_other() -> None:
    """A heading has the words of the message, so that whoever gets one finds its section."""
    assert sections("Alerts") == [f"{rule.name}: {rule.title} ({rule.severity})" for rule in RULES.values()]
    (first,) = [number for number, row in enumerate(ROWS) if row[0] == "drill"]
    assert [row[0] for row in ROWS[first + 1 :]] == list(DRILLS)


@pytest.mark.parametrize("heading", sections("Alerts"))
def test_a_section_tells_what_it_means_and_what_to_do(heading: str) -> None:
    text = (CHECKOUT / "deploy" / "RUNBOOK.md").read_text().split(f"### {heading}\n")[1].split("\n#")[0]
    assert re.findall(r"^- ([A-Z][a-z ]+): ", text, re.MULTILINE) == ["Consumers", "Look", "Do", "Leave alone"]


def require_fortnight_takes(words: list[str]) -> None:
    """A command of ours, with its options and arguments, as typer reads it."""
    group = get_command(app)
    context = group.make_context("fortnight", [], resilient_parsing=True)
    name, command, rest = group.resolve_command(context, words)  # type: ignore[attr-defined]
    command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("mentioned", sorted({each for each in MENTIONED if re.match(r"fortnight [a-z]", each)}))
def test_commands_within_sentences_exist(mentioned: str) -> None:
    require_fortnight_takes(shlex.split(PLACEHOLDER.sub("1", mentioned))[1:])


def test_files_and_headings_that_are_pointed_to_exist() -> None:
    slugs = {slug(heading) for _, heading in HEADINGS}
    assert {link.removeprefix("#") for link in LINKS} <= slugs
    assert all((CHECKOUT / each).exists() for each in MENTIONED if re.fullmatch(r"deploy/[\w./]+", each))


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "toml"], ids=str)
def test_settings_are_taken(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file := tmp_path / "fortnight.toml").write_text(block.content)
    monkeypatch.setenv("FORTNIGHT_CONFIG", str(file))
    told = load_settings()
    monkeypatch.delenv("FORTNIGHT_CONFIG")
    assert told != load_settings(), "each key is taken, and changes something"


HOST_LINES = [line for block in BLOCKS if block.language == HOST for line in block.lines]


@pytest.mark.parametrize("line", HOST_LINES)
def test_what_commands_of_the_host_name_exists(line: str) -> None:
    done = subprocess.run(["bash", "-n", "-c", line], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for part in line.split(" && "):
        words = [word for word in shlex.split(re.sub(r"\$\([^)]*\)", "1", part)) if word != "sudo"]
        while re.match(r"[A-Z_]+=", words[0]):
            words.pop(0)
        require_host_takes(words, part)


def require_host_takes(words: list[str], told: str) -> None:
    program, *rest = words
    match program.removeprefix(".venv/bin/"):
        case "fortnight":
            require_fortnight_takes([PLACEHOLDER.sub("1", word) for word in rest])
        case "docker":
            assert rest[:5] == ["compose", "--project-name", "fortnight", "--file", "deploy/compose.yaml"]
            require_compose_takes(rest[5], rest[6:])
        case "bash":
            text = (CHECKOUT / rest[0]).read_text()
            assert all(f"{option})" in text or rest[0] == "deploy/lock.sh" for option in rest[1:])
        case "systemctl":
            assert rest[0] in ("start", "stop", "restart")
            assert all((CHECKOUT / "deploy/systemd" / f"{unit}.service").exists() for unit in rest[1:])
        case "journalctl":
            assert (CHECKOUT / "deploy/systemd" / f"{rest[rest.index('--unit') + 1]}.service").exists()
        case "git":
            assert rest[0] in ("pull", "checkout")
        case _:
            assert shutil.which(program), told
    for name in re.findall(r"deploy/secrets/(\w+)", told):
        assert name in COMPOSE["secrets"]


def require_compose_takes(command: str, words: list[str]) -> None:
    need(shutil.which("docker-compose"), "docker-compose")
    done = subprocess.run(["docker-compose", command, "--help"], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    takes_value = {"--tail", "--entrypoint"}
    entrypoint = ""
    while words:
        word, *words = words
        if not word.startswith("--"):
            break
        assert re.search(rf"{word}\b", done.stdout), f"{command} {word}"
        if word in takes_value:
            value, *words = words
            entrypoint = value if word == "--entrypoint" else entrypoint
    else:
        return
    if command not in ("exec", "run"):
        assert {word, *words} <= SERVICES.keys()
        return
    assert word in SERVICES
    program = [entrypoint, *words] if entrypoint else words
    if program[:1] == ["fortnight"]:
        require_fortnight_takes(program[1:])
    for path in re.findall(r"/docker-entrypoint\S+?\.sh", " ".join(program)):
        assert any(f":{path}:" in volume for volume in SERVICES[word]["volumes"])
    for name in re.findall(r"/run/secrets/(\w+)", " ".join(program)):
        assert name in SERVICES[word]["secrets"]
