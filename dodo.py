"""The tasks of this project, for ``doit``; ``mcubuild`` finds the project by this file, too."""

from rules.dodo import *  # noqa: F403
