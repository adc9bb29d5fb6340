"""The tasks of this project: `mcubuild build`, or the same words behind `doit`."""

from rules.dodo import *  # noqa: F403
