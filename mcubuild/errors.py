"""The exceptions whose messages are meant for the user."""


class BuildError(Exception):
    """A problem that the user can act on.

    The message stands alone: it names the file, key or layer, what was found, what is allowed and what to do.
    It is shown without a traceback; every other exception is a defect of mcubuild and is shown with one.
    """


class NothingFitsError(BuildError):
    """No network, of those that may be chosen, is within the budget."""
