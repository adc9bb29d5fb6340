"""The store kept in order: ``doit gc size=5GB`` and ``doit verify``; both are safe beside builds."""

from collections.abc import Iterable, Iterator
from typing import Any

from mcubuild.errors import BuildError, shown, tell
from mcubuild.progress import bar
from mcubuild.store import Store
from mcubuild.units import format_size
from rules.commands.bench import run
from rules.foresight import foresee
from rules.graph import read_specs, spec_files
from rules.known import FILES
from rules.options import SIZE, usage
from rules.stage import BUILD, Resolved


def _limit() -> int:
    """The size in bytes that the store may have.

    Raises:
        BuildError: ``size=`` is none.
    """
    text = SIZE.given or ""
    number, unit = text[:-2], text[-2:]
    factor = {"kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}.get(unit)
    try:
        if factor is not None and 0 <= float(number) < 1e9:
            return round(float(number) * factor)
    except ValueError:
        pass
    raise BuildError(
        f"size={shown(text)}: must be a number with kB, MB or GB (1 kB = 1024 B), such as size={SIZE.default}."
    )


def needed(specs: Iterable[Resolved], store: Store) -> set[str]:
    """Keys of what builds of the ``specs`` take from the store, or have made already."""
    keys = set[str]()
    for resolved in specs:
        for one in foresee(resolved, store):
            folder = BUILD / one.resolved["spec"]["name"]
            keys.update(made.key for name in one.stage.outputs if (made := FILES.made(folder / name)))
            if one.key is not None:
                keys.add(one.key)
    return keys


def _collect() -> None:
    specs, broken = read_specs(spec_files(None), ())
    if broken:
        raise BuildError(
            f"{', '.join(broken)}: not valid, so nobody knows what such a spec needs; mend it, and run gc again."
        )
    limit, store = _limit(), Store()
    entries = store.entries()
    keep, size = needed(specs, store), sum(entry.bytes for entry in entries)
    before, removed, busy = size, 0, 0
    for entry in entries:
        if size <= limit:
            break
        if entry.key in keep:
            continue
        if store.remove(entry):
            size -= entry.bytes
            removed += 1
        else:
            busy += 1
    print(f"{store.root}: {removed} of {len(entries)} artifacts removed; {format_size(before)} -> {format_size(size)}.")
    if size > limit:
        why = "the rest is what specs of this project need" + (f", or {busy} that builds work with" if busy else "")
        print(f"That is more than size={SIZE.given}: {why}.")


def _verify() -> None:
    store = Store()
    entries = [entry for entry in store.entries() if entry.is_artifact]
    damaged = busy = 0
    with bar("verify", len(entries)) as progress:
        for entry in entries:
            sound = store.check(entry)
            if sound is None:
                busy += 1
            elif not sound:
                damaged += 1
                tell(f"{entry.path}: damaged; removed, and made again when it is asked for.")
            progress.advance()
    passed = f", {busy} passed over, as builds work with them" if busy else ""
    print(f"{store.root}: {len(entries)} artifacts, {damaged} damaged ones removed{passed}.")


def tasks() -> Iterator[dict[str, Any]]:
    """The doit tasks."""
    for name, doc, work in (
        (
            "gc",
            f"what was longest unused is removed from the store, but for what specs need: {usage('gc')}",
            _collect,
        ),
        ("verify", "everything in the store hashed again; what is damaged is removed", _verify),
    ):
        yield {
            "basename": name,
            "doc": doc,
            "actions": [(run, [name, work])],
            "uptodate": [False],
            "verbosity": 2,
        }
