"""`python -m forecasting.cli`."""

from forecasting.cli import main

main()
