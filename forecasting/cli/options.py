"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

SourceOption = Annotated[
    str | None,
    typer.Option("--source", help="Only series of this source: aemo, csv, eia, entsoe, simulated, sql.", show_default=False),
]
PathOption = Annotated[
    Path | None, typer.Option("--path", help="The file of a csv series, plain or .gz.", show_default=False, readable=False)
]
SeriesOption = Annotated[list[str] | None, typer.Option("--series", help="Only this series; may be repeated.", show_default=False)]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="Know nothing after this: a date (its local midnight) or a time with an offset. \\[default: now]",
        show_default=False,
    ),
]
