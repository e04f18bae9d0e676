"""The maps of the rooms: every path that they name exists, and every folder of code is on one."""

import re

import pytest
from paths import ROOT

MAPS = ["README.md", "engine/README.md", "tui/README.md", "tests/README.md"]
PATH = re.compile(r"(?:[\w.-]+/)+(?:[\w-]+\.\w+)?|[\w-]+\.(?:py|toml|md|tcss)")
# The README also draws a voice folder, a corpus and a clone: no paths of this repository.
OF_A_VOICE = (
    "voices/",
    "voice.toml",
    "wavs/",
    "LJ01-",
    "text2mel/",
    "ssrn/",
    ".venv/",
    "my-bucket/",
)


def tree_paths(block: str) -> list[str]:
    """The paths of an indented tree, each below the folder that stands above it."""
    found: list[str] = []
    above: dict[int, str] = {}
    for line in block.splitlines():
        indent = len(line) - len(line.lstrip())
        if name := PATH.match(line.strip()):
            parent = max((depth for depth in above if depth < indent), default=None)
            found.append(above.get(parent, "") + name[0])
            above = {depth: path for depth, path in above.items() if depth < indent}
            above[indent] = found[-1]
    return found


def named_paths(text: str) -> list[str]:
    """Every path in code font, in a tree or behind a link."""
    trees = re.findall(r"^```\n(.*?)^```", text, re.M | re.S)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    named = [path for tree in trees for path in tree_paths(tree)]
    named += [
        path[0] for span in re.findall(r"`([^`\n]+)`", prose) if (path := PATH.fullmatch(span))
    ]
    named += [link for link in re.findall(r"\]\(([^)]+)\)", prose) if "://" not in link]
    return [path for path in named if not path.startswith(OF_A_VOICE)]


@pytest.mark.parametrize("name", MAPS)
def test_every_path_on_a_map_exists(name):
    folder = (ROOT / name).parent
    named = named_paths((ROOT / name).read_text(encoding="utf-8"))
    assert len(named) > 3
    assert [p for p in named if not ((folder / p).exists() or (ROOT / p).exists())] == []


@pytest.mark.parametrize("package", ["engine", "tui"])
def test_every_folder_of_code_is_on_the_map(package):
    named = named_paths((ROOT / package / "README.md").read_text(encoding="utf-8"))
    folders = {f"{file.parent.relative_to(ROOT)}/" for file in (ROOT / package).rglob("*.py")}
    assert folders - set(named) == set()
