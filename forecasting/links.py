"""Where people open what messages name."""

from forecasting.settings import Settings


def ui_url(settings: Settings) -> str | None:
    """Where people open MLflow: as set, or a tracking server without its credentials."""
    if settings.mlflow_ui_url is not None or settings.mlflow_tracking_uri is None:
        return settings.mlflow_ui_url
    scheme, mark, rest = settings.mlflow_tracking_uri.get_secret_value().partition("://")
    return f"{scheme}{mark}{rest.rsplit('@', 1)[-1]}" if scheme in ("http", "https") else None
