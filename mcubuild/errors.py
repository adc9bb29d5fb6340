"""The one exception whose message is meant for the user."""


class BuildError(Exception):
    """A problem that the user can act on.

    The message stands alone: it names the file, key or layer, what was found, what is allowed and what to do.
    It is shown without a traceback; every other exception is a defect of mcubuild and is shown with one.
    """
