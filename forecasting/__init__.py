"""fortnight: demand in, two-week forecasts out, every morning.

Imports point one way: jobs and service use the store, sources, registry and models; those use windows and metrics; those use the
calendar, frames, domain and errors. There is no clock in here: `as_of` is always a parameter, so that any past day can be replayed.
"""
