"""What doit loads before it reads the command line; pyproject.toml names it."""

import sys

from doit.cmd_base import DodoTaskLoader

from mcubuild.errors import BuildError
from rules.arguments import lists
from rules.streams import set_up


class Loader(DodoTaskLoader):  # type: ignore[misc]
    """Loads dodo.py as ever, after what must be seen to before: doit's own commands would end in a traceback."""

    def __init__(self) -> None:
        """Make the streams safe, to which these commands write; refuse words that doit stumbles over.

        Raises:
            SystemExit: there is nothing to write to, or an empty word.
        """
        super().__init__()
        try:
            set_up(lists())
            if "" in sys.argv[1:]:
                raise BuildError("found an empty word in the command (a variable without a value?); remove it.")
        except BuildError as error:
            print(f"ERROR: {error}", file=sys.stderr)
            raise SystemExit(3) from None
