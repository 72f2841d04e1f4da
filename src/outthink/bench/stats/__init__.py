"""Statistics of a bench: estimates from pools, intervals, tests, calibration, frontiers.

Needs numpy and scipy (extra ``bench``), so it is imported only where a bench is evaluated. Arrays hold one value a
question unless said otherwise: accuracies and probabilities in [0, 1], tokens as counts. The same seed gives the
same figures.
"""

from outthink.bench.stats.calibration import Bin, brier, ece, ece_if_calibrated, reliability
from outthink.bench.stats.comparison import (
    Comparison,
    accuracy_difference,
    accuracy_estimate,
    compare,
    log_token_ratio,
    mean_estimate,
    token_ratio,
)
from outthink.bench.stats.frontier import iso_accuracy_saving, isotonic, pareto, tokens_for
from outthink.bench.stats.intervals import Estimate, Resampling, bootstrap, wilson
from outthink.bench.stats.pools import majority_at_k, oracle_at_k, pass_at_k, random_choice
from outthink.bench.stats.significance import detectable_difference, discordant, holm, mcnemar, sign_flip

__all__ = [
    "Bin",
    "Comparison",
    "Estimate",
    "Resampling",
    "accuracy_difference",
    "accuracy_estimate",
    "bootstrap",
    "brier",
    "compare",
    "detectable_difference",
    "discordant",
    "ece",
    "ece_if_calibrated",
    "holm",
    "iso_accuracy_saving",
    "isotonic",
    "log_token_ratio",
    "majority_at_k",
    "mcnemar",
    "mean_estimate",
    "oracle_at_k",
    "pareto",
    "pass_at_k",
    "random_choice",
    "reliability",
    "sign_flip",
    "token_ratio",
    "tokens_for",
    "wilson",
]
