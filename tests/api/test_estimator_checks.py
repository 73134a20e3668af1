"""scikit-learn's own checks of estimators, on the networks that need no spec."""

from __future__ import annotations

from functools import partial

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra: sklearn)")

from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import estimator_checks_generator

from netwright.sklearn import Classifier, Regressor

from ..slices import sliced

# Every check applies. Those that skip themselves need pandas or an environment variable.
CASES = [
    case
    for estimator in (Classifier(threads=1), Regressor(threads=1))
    for case in estimator_checks_generator(estimator)
]
NAMES = sorted({check.func.__name__ for _, check in CASES})


def by_default(estimator: BaseEstimator, check: partial[None]) -> bool:
    """Whether a check is one of its estimator alone, or in the half of those of both that runs with this one."""
    of = {type(each) for each, other in CASES if other.func is check.func}
    return len(of) == 1 or type(estimator) is (Classifier, Regressor)[NAMES.index(check.func.__name__) % 2]


@pytest.mark.alike(2)
@pytest.mark.parametrize(
    ("estimator", "check"),
    sliced(CASES, by_default),
    ids=lambda value: value.func.__name__ if isinstance(value, partial) else type(value).__name__,
)
def test_checks_of_scikit_learn(estimator: BaseEstimator, check: partial[None]) -> None:
    check(estimator)
    assert type(estimator) in (Classifier, Regressor)
