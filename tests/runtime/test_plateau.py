"""When a learning rate drops, as a function of the epochs so far."""

import pytest

from netwright.runtime.training.plateau import Plateau


@pytest.mark.parametrize(
    ("values", "drops"),
    [
        ([], 0),
        ([1.0], 0),
        ([1.0, 0.9, 0.8, 0.7], 0),
        ([1.0, 1.0], 0),
        ([1.0, 1.1, 1.0], 1),
        ([1.0, 1.1, 0.9, 0.95, 0.95], 1),
        ([1.0, 1.1, 1.1, 1.1], 1),
        ([1.0, 1.1, 1.1, 1.1, 1.1], 2),
        ([1.0, 0.995, 0.994], 1),
    ],
)
def test_drops_of_a_loss_and_of_a_score(values, drops):
    plateau = Plateau(factor=0.5, patience=2, min_delta=0.01)
    assert plateau.scale(values, rises=False) == 0.5**drops
    assert plateau.scale([-value for value in values], rises=True) == 0.5**drops
