"""[report]: how the results are shown."""

from pydantic import Field

from mcubuild.settings import Settings


class ReportSettings(Settings):
    """Presentation only: nothing here changes what is measured."""

    title: str | None = None
    """Heading of the report; default: the spec's name."""
    mistakes: int = Field(default=12, ge=0, le=100)
    """Wrongly classified test samples to show."""
