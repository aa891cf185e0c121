"""A small read-only web page over what is published, with `/metrics` for Prometheus and `/health` for monitors outside.

Nothing but the schema `published` is read, nothing is fetched from anywhere else, and nothing can be changed here.
"""

from forecasting.page.app import create_app
from forecasting.page.serving import serve_page

__all__ = ["create_app", "serve_page"]
