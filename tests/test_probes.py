"""What of a pack goes into a kernel: one probe with what it needs, and nothing else."""

from __future__ import annotations

import pytest

from grader.errors import PackError
from grader.inside.harness import Names, NotDefined
from grader.model import Visibility
from grader.probes import questions, self_contained

TEXT = '''
"""The pack's own words."""
from __future__ import annotations
import numpy as np
import secrets
from grader.probes import Names, Rng, probe

EXPECTED = 5.03900403
SIZE = 3

def helper(x: "Rng") -> float:
    """Explains the answer."""
    return x * SIZE

@probe
def asks(names: Names, rng: Rng) -> object:
    """The right answer is 42."""
    return names.f(helper(np.pi))

@probe
def another(names: Names, rng: Rng) -> object:
    return EXPECTED
'''


def test_a_probe_takes_along_what_it_uses_and_no_more() -> None:
    text = self_contained(TEXT, "asks")
    assert "import numpy as np" in text
    assert "SIZE = 3" in text
    for kept_back in ("EXPECTED", "5.039", "another", "secrets", "grader", "42", "Explains"):
        assert kept_back not in text


def test_the_text_of_a_probe_runs_by_itself() -> None:
    scope: dict[str, object] = {}
    exec(self_contained(TEXT, "asks"), scope)  # noqa: S102  the text under test
    ask = scope["asks"]
    assert callable(ask)
    assert 3 * 3.141592653589793 == ask(Names({"f": lambda x: x}), None)


def test_a_probe_that_is_not_there_is_the_authors_mistake() -> None:
    with pytest.raises(PackError, match="should define `nobody`"):
        self_contained(TEXT, "nobody")


def test_hidden_questions_come_only_with_the_courses_secret() -> None:
    public = questions(TEXT, [("asks", True)], public=[1], hidden=2, secret=None)
    assert [Visibility.PUBLIC] == [call.seed.visibility for call in public]
    both = questions(TEXT, [("asks", True)], public=[1], hidden=2, secret=b"course")
    assert 3 == len(both)
    assert public[0] == both[0], "the self-check asks what the grading asks first"


def test_no_call_holds_the_secret_and_another_secret_asks_other_questions() -> None:
    def numbers(secret: bytes) -> list[int]:
        calls = questions(TEXT, [("asks", True)], public=[1], hidden=2, secret=secret)
        assert secret.decode() not in repr(calls)
        return [c.number for c in calls if c.seed.visibility is Visibility.HIDDEN]

    assert numbers(b"autumn") == numbers(b"autumn")
    assert not set(numbers(b"autumn")) & set(numbers(b"spring"))


def test_a_probe_that_does_not_vary_is_asked_once() -> None:
    calls = questions(TEXT, [("asks", False)], public=[1, 2], hidden=2, secret=b"s")
    assert 1 == len(calls)


# ------------------------------------------------------------------------------- names
class Notebook:
    """Stands for a student's class, whose constructor nobody should need."""

    def __init__(self) -> None:
        raise AssertionError("the constructor was called")

    def bound(self, s: int) -> int:
        return s + 1

    @staticmethod
    def static(s: int) -> int:
        return s + 2

    @classmethod
    def of_class(cls, s: int) -> int:
        return s + 3

    def selfless(s: int) -> int:  # type: ignore[misc]  # noqa: N805  students write this
        return s + 4


@pytest.mark.parametrize(
    ("name", "expected"), [("bound", 11), ("static", 12), ("of_class", 13), ("selfless", 14)]
)
def test_a_method_is_found_in_every_form(name: str, expected: int) -> None:
    assert expected == Names({"Net": Notebook}).function("x", name, of="Net")(10)


def test_a_function_is_found_under_any_alias_without_the_class() -> None:
    found = Names({"drelu": abs}).function("grad_relu", "drelu", of="Net")
    assert 3 == found(-3)


def test_a_name_that_is_not_there_ends_the_probe() -> None:
    names = Names({})
    with pytest.raises(NotDefined, match="partition"):
        names.partition  # noqa: B018  reading it is the test
    with pytest.raises(NotDefined, match="relu"):
        names.function("relu", "ReLU", of="Net")
