"""Data sets that everybody can get, brought into place before anything reads them; nothing here is part of a key."""

from pathlib import Path

from rules.stage import Resolved


def fetch(resolved: Resolved) -> None:
    """Fetch what the spec's data set lacks; does nothing where the user says where it is, or where it is in place.

    Raises:
        BuildError: it cannot be fetched.
    """
    from mcubuild.data.kinds import kind

    settings = resolved["spec"]["dataset"]
    of_a_kind = kind(settings["kind"])
    if settings.get("path") is not None or not of_a_kind.lacking(settings, Path(resolved["folder"])):
        return
    from mcubuild.data.fetch.fetch import fetch

    fetch(settings["kind"], lambda: of_a_kind.lacking(settings, Path(resolved["folder"])))
