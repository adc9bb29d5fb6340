"""Tables of the user: what sensors wrote, cut into windows."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from mcubuild.spec.datasets.base import FilesSettings, Task, UndividedSettings


class CsvSettings(UndividedSettings, FilesSettings):
    """Rows of values, one a moment, in one table or several. Windows never cross a change of table, label or group."""

    tasks: ClassVar[tuple[Task, ...]] = ("sensor_classification",)

    kind: Literal["csv"]
    """UTF-8 with names of columns in the first line."""
    path: str = Field(min_length=1)
    """The table, or a folder with ``.csv`` files, relative to the spec."""
    label: str = "label"
    """Column with the class. Rows where it is empty are in no window."""
    columns: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Columns with values. Default: all but label and group."""
    group: str | None = None
    """Column whose samples stay together when a split is drawn, such as the person who wore the sensor."""
    val: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Groups to validate by."""
    test: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Groups to test with."""
    window: int = Field(ge=8, le=8192)
    """Rows of a sample."""
    stride: int | None = Field(default=None, ge=1)
    """Rows from a sample to the next; default: ``window``. Where samples overlap and there is no group, those from the
    same stretch of rows stay together."""
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    """Between columns."""

    @model_validator(mode="after")
    def _columns_make_sense(self) -> "CsvSettings":
        columns = self.columns or ()
        if twice := [name for name in columns if columns.count(name) > 1 or name in (self.label, self.group)]:
            raise ValueError(f"found the column {twice[0]!r} twice in columns, label and group; name each once")
        if self.group is None and (self.val or self.test):
            raise ValueError('found val or test without group, whose values they list: add group = "subject"')
        if both := sorted({*(self.val or ())} & {*(self.test or ())}):
            raise ValueError(f"found the group {both[0]!r} in val and in test; leave it in one")
        return self


SETTINGS = CsvSettings
