"""Where alerts go, one file a channel. A new channel is one new file and one line in CHANNELS."""

from collections.abc import Callable, Iterable, Mapping

from forecasting.alerts.log import send_to_log
from forecasting.domain import Alert
from forecasting.errors import SettingsError

CHANNELS: Mapping[str, Callable[[Alert], None]] = {
    "log": send_to_log,
}


def announce(alert: Alert, channels: Iterable[str]) -> None:
    """Send an alert to each channel.

    Raises:
        SettingsError: an unknown channel.
    """
    for channel in channels:
        if channel not in CHANNELS:
            raise SettingsError(f"unknown alert channel {channel!r}", f"use one of {', '.join(CHANNELS)}")
        CHANNELS[channel](alert)
