"""The servers of the feed tests, for those who attack."""

from tests.feeds.conftest import rude, web

__all__ = ["rude", "web"]
