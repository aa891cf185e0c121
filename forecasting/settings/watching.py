"""Settings of what is watched."""

from typing import Annotated

from pydantic import Field, model_validator

from forecasting.settings.section import Section


class ScanSettings(Section):
    """When a daily level counts as risen; see `forecasting.watching.scan`."""

    reference_days: tuple[int, int] = (84, 22)
    """The days compared with: from so many before the newest to so many."""
    min_reference: Annotated[int, Field(ge=8)] = 42
    window_days: Annotated[int, Field(ge=1)] = 21
    """A rise that began longer ago is not looked for."""
    shortest: Annotated[int, Field(ge=1)] = 2
    """Fewer days than that prove nothing."""
    lately_days: Annotated[int, Field(ge=1)] = 5
    """An alarm ends when the newest so many days are less than half of `min_rise` up."""
    most_a_day: Annotated[float, Field(gt=0)] = 4.0
    """One day counts at most so many spreads."""
    min_spread: Annotated[float, Field(gt=0)] = 0.1
    """Smallest spread of logarithms that counts: below it, any wiggle would look large."""
    z_limit: float = 4.5
    """Standard errors beyond which it is an alarm."""
    z_digest: float = 3.5
    """Standard errors beyond which it is worth a line in a digest."""
    min_rise: float = 0.25

    @model_validator(mode="after")
    def can_be_met(self) -> "ScanSettings":
        oldest, newest = self.reference_days
        if not oldest > newest >= 0:
            raise ValueError(f"reference_days from {oldest} to {newest} days ago hold no day: the first must be larger")
        if self.min_reference > oldest - newest + 1:
            raise ValueError(f"min_reference {self.min_reference} is more than the days from {oldest} to {newest} days ago")
        if self.shortest > self.window_days:
            raise ValueError(f"shortest {self.shortest} is more than window_days {self.window_days}")
        if self.z_digest > self.z_limit:
            raise ValueError(f"z_digest {self.z_digest} is more than z_limit {self.z_limit}: what alarms is worth a line too")
        return self


class ShiftSettings(Section):
    """When readings count as marked too early or too late; see `forecasting.watching.time_shift`."""

    from_hour: Annotated[int, Field(ge=0, le=23)] = 4
    to_hour: Annotated[int, Field(ge=1, le=24)] = 12
    """The morning, on the local clock."""
    most_hours: Annotated[int, Field(ge=1, le=4)] = 2
    """The largest shift that is looked for."""
    reference_days: tuple[int, int] = (36, 8)
    """The mornings compared with: from so many days before a day to so many."""
    min_alike: Annotated[int, Field(ge=1)] = 3
    """Fewer days of the same kind among them, and a day does not vote."""
    min_gain: Annotated[float, Field(gt=0, lt=1)] = 0.4
    """A lag must take away this share of the squared distance that no lag leaves."""
    min_fit: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """And this share of the morning's own steps: a load without a morning of its kind tells no time."""
    recent: Annotated[int, Field(ge=1)] = 3
    needed: Annotated[int, Field(ge=1)] = 2
    """So many of the most recent days must agree on the direction, a working day among them."""

    @model_validator(mode="after")
    def can_be_met(self) -> "ShiftSettings":
        if not self.most_hours <= self.from_hour < self.to_hour <= 24 - self.most_hours:
            raise ValueError(
                f"hours {self.from_hour} to {self.to_hour} must leave most_hours {self.most_hours} of the day on either side"
            )
        if not self.reference_days[0] > self.reference_days[1] >= self.recent:
            raise ValueError(f"reference_days {self.reference_days} must end before the {self.recent} most recent days")
        if self.needed > self.recent:
            raise ValueError(f"needed {self.needed} of the {self.recent} most recent can never be met")
        return self


class InputSettings(Section):
    """When what the model reads counts as moved; see `forecasting.watching.inputs`."""

    days: Annotated[int, Field(ge=3)] = 14
    """The newest days that are judged."""
    season_days: Annotated[int, Field(ge=7, le=91)] = 28
    """Days of earlier years so near in the year, or of the weeks just before, are the same season."""
    min_mates: Annotated[int, Field(ge=5)] = 8
    """With fewer such days there is nothing to compare with."""
    widened: Annotated[float, Field(ge=0)] = 0.25
    """The range of the season, from its 5 % to its 95 % quantile, is widened by this share on both sides."""
    min_outside: Annotated[float, Field(gt=0, le=1)] = 0.35
    """A share of days beyond it, on one side, that counts."""
    min_level: Annotated[float, Field(gt=0)] = 0.17
    """A distance of demand from the usual that counts, as a logarithm: 19 % up, 16 % down."""
    min_warmth_c: Annotated[float, Field(gt=0)] = 6.5
    """A distance of temperature that counts."""
    min_z: float = 1.0
    """Both only where they are also so many standard deviations of single days."""
    min_moved_share: Annotated[float, Field(gt=0)] = 0.035
    """A share of a day's energy in other slots than usual that counts."""
    min_known: Annotated[float, Field(gt=0, le=1)] = 0.5
    """A day with a smaller share of temperatures is left out."""


class BandSettings(Section):
    """When coverage or bias counts as off; see `forecasting.watching.band`."""

    days: Annotated[int, Field(ge=14)] = 42
    lead_groups: tuple[tuple[int, int], ...] = ((1, 1), (2, 7), (8, 14))
    """First and last lead of each group."""
    alike_days: Annotated[int, Field(ge=56)] = 182
    """The newest days from which it is learnt how alike neighbouring days err."""
    min_days: Annotated[int, Field(ge=28)] = 56
    tail: Annotated[float, Field(gt=0, lt=0.5)] = 0.002
    """Chance, on either side, that a true band is called off."""
    z_limit: Annotated[float, Field(gt=0)] = 3.5
    """Standard errors beyond which a bias counts."""

    @model_validator(mode="after")
    def can_be_met(self) -> "BandSettings":
        if not all(1 <= first <= last <= 14 for first, last in self.lead_groups):
            raise ValueError(f"lead_groups {self.lead_groups} must be pairs of a first and a last lead from 1 to 14")
        if not self.days <= self.min_days <= self.alike_days:
            raise ValueError(f"min_days {self.min_days} must lie between days {self.days} and alike_days {self.alike_days}")
        return self


class FeedSettings(Section):
    """When quarantined readings count as a fault of the feed; see `forecasting.watching.feed`."""

    min_share: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Of the readings due, refused for reasons of one kind."""


class DriftSettings(Section):
    """When a loss counts as drifted, and when what it was made from counts as changed.

    The fields outside of sections are about the losses of retrains; see `forecasting.drift`.
    """

    realised: ScanSettings = ScanSettings()
    """Losses of what was published, as ratios to those of other forecasts; see `forecasting.watching.realised`."""
    predecessor: ScanSettings = ScanSettings(most_a_day=6.0, z_limit=3.5, z_digest=3.0)
    """As ratios to those of the predecessor: little scatters there, so that less evidence is needed."""
    leads: Annotated[int, Field(ge=1, le=14)] = 1
    """The leads, from 1 on, whose losses are watched."""
    shift: ShiftSettings = ShiftSettings()
    inputs: InputSettings = InputSettings()
    band: BandSettings = BandSettings()
    feed: FeedSettings = FeedSettings()
    same_time_days: Annotated[int, Field(ge=0)] = 4
    """A rise that began so near to a change of model is put down to it."""
    many_fallbacks: Annotated[float, Field(gt=0, le=1)] = 0.2
    many_without_temperature: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Shares, of forecasts and of temperatures, that explain a rise."""
    pool_min_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """A day is pooled where at least this share of the series have a loss."""
    reference_days: tuple[int, int] = (63, 8)
    min_reference: Annotated[int, Field(ge=3)] = 28
    recent: Annotated[int, Field(ge=1)] = 5
    needed: Annotated[int, Field(ge=1)] = 3
    z_limit: float = 3.5
    min_rise: float = 0.25

    @model_validator(mode="after")
    def can_be_met(self) -> "DriftSettings":
        oldest, newest = self.reference_days
        if not oldest > newest >= 0:
            raise ValueError(f"reference_days from {oldest} to {newest} days ago hold no day: the first must be larger")
        if self.min_reference > oldest - newest + 1:
            raise ValueError(f"min_reference {self.min_reference} is more than the days from {oldest} to {newest} days ago")
        if self.needed > self.recent:
            raise ValueError(f"needed {self.needed} of the {self.recent} most recent can never be met")
        return self
