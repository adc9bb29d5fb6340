"""Fetching the data sets that everybody can get: from official sources, into one folder for all specs and checkouts.

``archives.toml`` is the table of them. Nothing here is reached where the data is in place already.
"""
