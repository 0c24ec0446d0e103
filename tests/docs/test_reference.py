"""The documentation says what the code does."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def load_generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = load_generator()


@pytest.mark.parametrize("path", generate.PAGES, ids=lambda path: path.name)
def test_a_generated_page_is_what_the_code_says_now(path):
    assert path.read_text(encoding="utf-8") == generate.PAGES[path](), "run: python docs/generate.py"


def pages():
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_local_link_leads_somewhere(page):
    targets = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_frontdesk_command_named_in_a_page_exists(page):
    known = set(re.findall(r"^## (frontdesk .+)$", generate.commands_page(), re.MULTILINE))
    first_words = {" ".join(command.split()[:2]) for command in known}
    for match in re.findall(r"(?:^|[`$ ])frontdesk ([a-z]+)\b", page.read_text(encoding="utf-8"), re.MULTILINE):
        assert f"frontdesk {match}" in first_words, f"{page.name} names `frontdesk {match}`"


def test_the_readme_shows_running_code_by_line_25():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("```") for line in lines[:25])


def test_the_version_has_a_changelog_entry():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"$', project, re.MULTILINE)[1]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
