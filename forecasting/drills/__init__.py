"""Disasters, played in a sandbox by real processes and real servers; see `playing`."""

from collections.abc import Mapping

from forecasting.drills import clocks, databases, feeds, kills, outside, servers
from forecasting.drills.playing import Drill

__all__ = ["DRILLS", "Drill"]

DRILLS: Mapping[str, Drill] = {
    "weather-down": Drill(
        "The weather feed answers with errors, then not at all.",
        "There is a forecast every day, labelled with the weather as at fault; temperatures are caught up with.",
        feeds.weather_down,
    ),
    "feed-down": Drill(
        "The demand feed is down for three days.",
        "There is a forecast every day, labelled with the demand as at fault; readings are caught up with.",
        feeds.feed_down,
    ),
    "late-data": Drill(
        "The demand feed answers, but has nothing new for up to 17 days.",
        "The champion answers as far as it reaches, weekly naive beyond, and says how old the readings are.",
        feeds.late_data,
    ),
    "bad-series": Drill(
        "One series of three has lost its feed, another's champion forecasts a thousandfold.",
        "The good one is untouched, the implausible forecast is stopped, and both bad ones have a labelled forecast.",
        feeds.bad_series,
    ),
    "postgres-restarted": Drill(
        "Postgres is restarted in the middle of ingest, retrain, publish and watch.",
        "The same run goes on by itself, ends well, and nothing is doubled.",
        databases.postgres_restarted,
    ),
    "disk-full": Drill(
        "The disk that holds everything is full.",
        "The run says so in one line, the forecast of the day before can be read, and with room again the next run completes.",
        databases.disk_full,
    ),
    "killed": Drill(
        "The daily run gets SIGKILL at random moments.",
        "Nothing is lost, doubled or seen in part, and the next run completes.",
        kills.killed,
    ),
    "reboot": Drill(
        "Everything gets SIGKILL at once, Postgres included.",
        "Started again, the run completes in spite of what was left behind.",
        kills.reboot,
    ),
    "mlflow-down": Drill(
        "The MLflow server is killed in the middle of a retrain, and stays down for a day.",
        "The champion's copy in Postgres forecasts and says so; the retrain is caught up with.",
        servers.mlflow_down,
    ),
    "prefect-down": Drill(
        "The Prefect server is down at the time of the daily run.",
        "The flow says so at once, the same jobs run without Prefect, and Prefect coming back doubles nothing.",
        servers.prefect_down,
    ),
    "clock-wrong": Drill(
        "The machine's clock is a day ahead, then a day behind.",
        "It is noticed, there is a forecast all the while, no reading is lost, and no issue hides those of the days after.",
        clocks.clock_wrong,
    ),
    "schedule-stops": Drill(
        "The schedule has silently stopped, and later whatever looks after it too.",
        "The status is an alarm; the caretaker begins the run itself; the heartbeat outside is asked only while all is well.",
        outside.schedule_stops,
    ),
}
