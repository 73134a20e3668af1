"""scikit-learn's own checks of estimators, on the networks that need no spec."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra: sklearn)")

from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from netwright.sklearn import Classifier, Regressor


# Every check applies. Those that skip themselves need pandas or an environment variable.
@parametrize_with_checks([Classifier(threads=1), Regressor(threads=1)])
def test_checks_of_scikit_learn(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)
    assert type(estimator) in (Classifier, Regressor)
