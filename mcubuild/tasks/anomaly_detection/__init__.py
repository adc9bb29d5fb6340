"""Anomaly detection: an autoencoder of normal sounds, and how far recordings are from what it makes of them."""

from typing import Final

from mcubuild.tasks import Metric

AUC: Final = Metric(
    "AUC",
    "area under the ROC curve: of all pairs of an anomalous and a normal recording, the share in which the anomalous "
    "one has the larger error",
    "score interval with Hanley and McNeil's variance",
    hits="values in training that come within 5 % of their range",
    counted=False,
)
