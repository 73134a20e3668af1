"""Networks as estimators of scikit-learn, for its pipelines, searches and cross-validation. It needs the extra
`sklearn`.

    from netwright.sklearn import Classifier


    classifier = Classifier("digits.yaml", epochs=5).fit(images, digits)
    print(classifier.score(other_images, other_digits))
"""

try:
    import sklearn as _sklearn  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "netwright.sklearn needs the extra sklearn: pip install 'netwright[sklearn]'", name="sklearn"
    ) from error

from .classifier import Classifier
from .regressor import Regressor

__all__ = ["Classifier", "Regressor"]
