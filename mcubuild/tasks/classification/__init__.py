"""Classification of pictures, sounds and sensors' values: one of several classes a sample."""

from typing import Final

from mcubuild.tasks import Metric

ACCURACY: Final = Metric("accuracy", "test samples classified correctly", "Wilson", hits="training", counted=True)
