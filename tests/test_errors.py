"""What errors say, and that the tree in the docstring is the tree there is."""

from __future__ import annotations

import inspect
import re

import pytest

from alc_stats import errors
from alc_stats.errors import AlcError, Problem, SourceError, did_you_mean


def test_a_problem_says_only_the_parts_it_has() -> None:
    assert str(Problem("the table is empty")) == "the table is empty."
    whole = Problem("too few", where="model m1", found="2", allowed="3", way_out="Add one.")
    assert str(whole) == "model m1: too few. Found: 2. Allowed: 3. Add one."


def test_an_error_carries_every_problem_and_prints_one_line_each() -> None:
    error = SourceError(Problem("one", where="a"), "two.")
    assert error.problems == (Problem("one", where="a"), Problem("two"))
    assert str(error) == "a: one.\ntwo."


@pytest.mark.parametrize(
    ("name", "known", "way_out"),
    [
        ("mixd", ["ols", "mixed"], "Did you mean 'mixed'?"),
        ("zzz", ["b", "a"], "Known: a, b."),
        ("zzz", [], ""),
    ],
)
def test_a_misspelt_name_gets_a_way_out(name: str, known: list[str], way_out: str) -> None:
    assert did_you_mean(name, known) == way_out


def test_the_docstring_draws_the_tree_that_exists() -> None:
    drawn = re.findall(r"^ *(?:[│├└─ ]*)(\w+Error)\b", errors.__doc__ or "", flags=re.MULTILINE)
    defined = [
        name
        for name, thing in vars(errors).items()
        if inspect.isclass(thing) and issubclass(thing, AlcError)
    ]
    assert drawn == defined
    assert issubclass(errors.SourceError, errors.DataError)
    assert issubclass(errors.TableError, errors.DataError)


def test_a_part_that_ends_with_a_stop_gets_no_second_one() -> None:
    problem = Problem("unknown covariance 'HC33'. Did you mean 'HC3'?", found="a whole sentence.")
    assert str(problem) == "unknown covariance 'HC33'. Did you mean 'HC3'? Found: a whole sentence."
