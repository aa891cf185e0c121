"""Watching what was published and what it was made from: has something changed, since when, and what is the likely cause?

Everything here is pure: numbers in, a verdict out; no clock, no store. `forecasting.drift` judges the losses of retrains.
"""
