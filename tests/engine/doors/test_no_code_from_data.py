"""Nothing in the program can turn data into code."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = sorted([*(ROOT / "engine").rglob("*.py"), *(ROOT / "tui").rglob("*.py")])
MODULES = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "yaml",
    "code",
}
BUILTINS = {"eval", "exec", "compile", "__import__", "breakpoint"}


def faults(source: str) -> list[str]:
    """What in a source could run what it reads."""
    tree = ast.parse(source)
    return [f"line {node.lineno}: {what}" for node in ast.walk(tree) for what in _faults_of(node)]


def _faults_of(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [one.name for one in node.names if one.name.partition(".")[0] in MODULES]
    if isinstance(node, ast.ImportFrom):
        return [node.module] if (node.module or "").partition(".")[0] in MODULES else []
    if isinstance(node, ast.Call):
        return _faults_of_call(node)
    return []


def _faults_of_call(call: ast.Call) -> list[str]:
    name = ast.unparse(call.func)
    given = {one.arg: one.value for one in call.keywords}
    found = [name] if name in BUILTINS | {"os.system", "os.popen", "tempfile.mktemp"} else []
    if name.startswith("subprocess.") and not _is_false(given.get("shell")):
        found.append(f"{name} with a shell")
    if name == "torch.load" and not _is_true(given.get("weights_only")):
        found.append("torch.load that unpickles")
    if name in ("np.load", "numpy.load", "np.save", "numpy.save") and not _is_false(
        given.get("allow_pickle"), absent=name.endswith("load")
    ):
        found.append(f"{name} that pickles")
    if name.endswith(("extractall", "unpack_archive")):
        found.append(f"{name}: names in an archive are believed")
    return found


def _is_true(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value is True


def _is_false(value: ast.expr | None, *, absent: bool = True) -> bool:
    return absent if value is None else isinstance(value, ast.Constant) and value.value is False


def test_no_source_can_run_what_it_reads():
    assert len(SOURCES) > 200
    found = {
        str(path.relative_to(ROOT)): told
        for path in SOURCES
        if (told := faults(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from marshal import loads",
        "import torch\nweights = torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "np.save(path, array)",
        "value = eval(text)",
        "exec(text)",
        "os.system(line)",
        "subprocess.run(line, shell=True)",
        "subprocess.Popen(line, shell=wanted)",
        "tar.extractall(folder)",
    ],
)
def test_the_search_would_find_it(source):
    assert faults(source)


@pytest.mark.parametrize(
    "source",
    [
        "network.eval()",
        "re.compile(pattern)",
        "np.save(path, array, allow_pickle=False)",
        "np.load(path)",
        "torch.load(path, weights_only=True)",
        "subprocess.run(['true'])",
    ],
)
def test_the_search_finds_nothing_else(source):
    assert not faults(source)
