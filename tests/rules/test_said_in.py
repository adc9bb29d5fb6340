"""Which file of a spec a key is from."""

from pathlib import Path

from rules.commands.plan import said_in


def test_the_file_that_counts_is_named(tmp_path: Path) -> None:
    texts = {
        "lowest.toml": 'board = "a"\n[budget]\nflash = "1MB"\nsram = "1kB"\n[search]\npopulation = 4\n',
        "base.toml": 'extends = "lowest.toml"\nbits = 8\n[budget]\nsram = "2kB"\n',
        "own.toml": 'extends = "base.toml"\n[budget]\nlatency = "1ms"\n[matrix]\nboard = ["a", "b"]\n'
        'budget.energy = ["1mJ"]\n',
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / name) for name in texts]
    expected = {
        "budget.latency": "own.toml",
        "budget.energy": "own.toml",
        "board": "own.toml",
        "budget.sram": "base.toml",
        "bits.weights": "base.toml",
        "budget.flash": "lowest.toml",
        "search.population": "lowest.toml",
        "supernet.epochs": "own.toml",
    }
    found = {key: Path(said_in(key, {"file": files[-1], "files": files})).name for key in expected}
    assert found == expected
