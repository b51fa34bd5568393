"""Right and wrong answers: a logistic model of persons and tasks, read as average probabilities.

A log odds ratio is about one person and one task and grows with what else the model holds; the
verdict is about people, so it rests on probabilities averaged over rows and random effects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.errors import AlcError
from alc_stats.estimators import Estimate, Fit, fit
from alc_stats.estimators.combination import combine
from alc_stats.inference import marginal_means, marginal_probabilities
from alc_stats.inference.marginal_probabilities import MarginalProbabilities
from alc_stats.models.transfer.data import TransferData
from alc_stats.models.transfer.fits import CrossedModel, Gain, with_terms
from alc_stats.records import FloatArray

LOG_ODDS = "log odds"


@dataclass(frozen=True, slots=True, eq=False)
class LogisticModel:
    """The logistic model with the groupings of the linear one, and its average probabilities.

    Attributes
    ----------
    fit : Fit
    cells : MarginalProbabilities
        Of every arm, level and time.
    most : float
        Degrees of freedom of what was assigned, which no gain has more of.
    """

    fit: Fit
    cells: MarginalProbabilities
    most: float

    def gain(self, of: Gain, *, name: str = "") -> Estimate:
        """A gain, or a combination of gains, in probability."""
        e = self.cells.contrast(name, list(self._weights(of)))
        return Estimate(name, e.value, e.se, min(e.df, self.most), "probability")

    def log_odds(self, of: Gain) -> Estimate:
        """The same in log odds, for one person and one task."""
        means = marginal_means(self.fit, self.cells.over)
        order = [self.cells.cells.index(cell) for cell in means.cells]
        found = combine(self.fit, (self._weights(of)[order] @ means.weights)[None])
        df = min(float(found.df[0]), self.most)
        return Estimate("", float(found.values[0]), float(found.se[0]), df, LOG_ODDS)

    def _weights(self, of: Gain) -> FloatArray:
        """Weights of the cells; with a time before, after less before."""
        weights = []
        for cell in self.cells.cells:
            time = 1.0 if cell.get("post", 1.0) == 1.0 else -1.0
            weights.append(time * of.get((str(cell["arm"]), str(cell.get("level", "far"))), 0.0))
        return np.array(weights)


def logistic_model(data: TransferData, model: CrossedModel) -> LogisticModel | str:
    """Fit it; the reason where it cannot be fitted."""
    factors = ["arm", *(["level"] if len(data.levels) > 1 else []), *(["post"] if data.did else [])]
    waves = [] if data.did or data.rows["wave"].nunique() < 2 else ["C(wave)"]
    fixed = f"score ~ {' + '.join(['*'.join(factors), *waves, *data.covariates])}"
    try:
        found = fit(with_terms(fixed, model.groupings), data.rows, family="binomial",
                    df="containment")  # fmt: skip
        return LogisticModel(found, marginal_probabilities(found, factors), model.most)
    except AlcError as error:
        return str(error)
