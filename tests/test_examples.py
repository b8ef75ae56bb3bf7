"""The examples in docstrings run and print what they say."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

import ft_s2a

PACKAGE = Path(ft_s2a.__file__).parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FLOAT = re.compile(r"\d+\.\d*(?:e[+-]?\d+)?")


class NineDigits(doctest.OutputChecker):
    """Compares floating-point numbers by nine digits: the last bits depend on the machine."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return super().check_output(self._rounded(want), self._rounded(got), optionflags)

    @staticmethod
    def _rounded(text: str) -> str:
        return FLOAT.sub(lambda number: f"{float(number[0]):.9g}", text)


def _modules_with_examples() -> list[str]:
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if ">>> " in path.read_text(encoding="utf-8"):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


@pytest.mark.parametrize("name", _modules_with_examples())
def test_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # examples may write files
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(checker=NineDigits(), optionflags=FLAGS)
    found = [test for test in doctest.DocTestFinder().find(module, name) if test.examples]
    assert found, "the examples are in no docstring that doctest finds"
    for test in found:
        runner.run(test)
    assert runner.failures == 0, "see the captured output"


@pytest.mark.parametrize(
    ("want", "got", "same"),
    [
        ("[1.0, nan]\n", "[0.9999999999999998, nan]\n", True),
        ("(5.0, 95.0)\n", "(4.999999999999999, 95.0)\n", True),
        ("0.25\n", "0.2501\n", False),
        ("1.0\n", "1.00001\n", False),
        ("True\n", "np.True_\n", False),
        ("[1, 0]\n", "[0, 1]\n", False),
    ],
)
def test_examples_are_compared_by_nine_digits(want: str, got: str, same: bool) -> None:
    assert NineDigits().check_output(want, got, FLAGS) is same
