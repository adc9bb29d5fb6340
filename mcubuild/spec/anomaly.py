"""[anomaly]: when a recording counts as anomalous."""

from pydantic import Field

from mcubuild.quantities import Share
from mcubuild.settings import Settings


class AnomalySettings(Settings):
    """The threshold of task = "anomaly_detection"."""

    false_alarms: Share = Field(default=0.05, ge=0, lt=1)
    """Share of the normal validation recordings at most that may be above the threshold, which is as low as that
    allows."""
