import os
from datetime import timedelta
from pathlib import Path

import pytest

from forecasting.cli.parts import mlflow_command, prefect_command
from forecasting.domain import Quantity
from forecasting.errors import SettingsError
from forecasting.service import choose_series, demand_series
from forecasting.settings import SeriesSettings, Settings, load_settings

EVERYWHERE = "0.0.0.0"  # noqa: S104 - told, not listened on
SERIES = """
[[series]]
id = "north"
name = "North"
region = "DE"
time_zone = "Europe/Berlin"
source = "csv"
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state folder, and no settings from outside."""
    for variable in os.environ:
        if variable.startswith("FORTNIGHT_"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("FORTNIGHT_HOME", str(tmp_path))
    return tmp_path


def write(home: Path, text: str) -> Path:
    path = home / "fortnight.toml"
    path.write_text(text)
    return path


def refusal(**overrides: object) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load_settings(**overrides)
    assert str(caught.value) == f"{caught.value.problem}; {caught.value.remedy}"
    assert caught.value.remedy
    return caught.value


def test_defaults_need_no_file(home: Path) -> None:
    settings = load_settings()
    assert settings.home == home
    assert settings.training.epochs > 0
    assert [series.id for series in settings.series] == ["simulated", "vic"]


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().home = Path("elsewhere")


def test_the_file_goes_before_the_defaults(home: Path) -> None:
    write(home, f"[training]\nepochs = 3\n{SERIES}")
    settings = load_settings()
    assert settings.training.epochs == 3
    assert settings.training.batch_size == Settings.model_fields["training"].default.batch_size
    assert [series.id for series in settings.series] == ["north"]


def test_the_environment_goes_before_the_file_key_by_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, "[training]\nepochs = 3\nbatch_size = 7\n")
    monkeypatch.setenv("FORTNIGHT_TRAINING__EPOCHS", "5")
    settings = load_settings()
    assert (settings.training.epochs, settings.training.batch_size) == (5, 7)


def test_another_config_file_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "other.toml"
    path.write_text("[model]\nhidden = 5\n")
    monkeypatch.setenv("FORTNIGHT_CONFIG", str(path))
    assert load_settings().model.hidden == 5


@pytest.mark.parametrize(
    ("given", "meant"), [("state", "here/state"), ("~/state", "state"), ("here/../state", "here/here/../state")]
)
def test_home_is_made_absolute(given: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FORTNIGHT_HOME", given)
    assert load_settings().home == tmp_path / meant


def test_home_can_be_set_in_a_config_file_that_lies_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "other.toml"
    path.write_text('home = "/var/lib/fortnight"\n')
    monkeypatch.delenv("FORTNIGHT_HOME")
    monkeypatch.setenv("FORTNIGHT_CONFIG", str(path))
    assert load_settings().home == Path("/var/lib/fortnight")


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("FORTNIGHT_EPOCHS", "3", "FORTNIGHT_EPOCHS"),
        ("FORTNIGHT_HOMES", "elsewhere", "FORTNIGHT_HOMES"),
        ("FORTNIGHT_TRAINING__EPOCH", "3", "training.epoch"),
        ("FORTNIGHT_TRAINING__EPOCHS", "many", "training.epochs"),
        ("FORTNIGHT_TRAINING__EPOCHS", "0", "training.epochs"),
        ("FORTNIGHT_TRAINING", "{", "training"),
        ("FORTNIGHT_MODEL__FAMILY", "arima", "model.family"),
        ("FORTNIGHT_MODEL__HORIZON_DAYS", "15", "model.horizon_days"),
        ("FORTNIGHT_SERIES", "[{}]", "series.0"),
    ],
)
def test_a_wrong_environment_variable_is_refused(variable: str, value: str, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    assert named in refusal().problem


def test_an_unknown_variable_is_answered_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORTNIGHT_DATABSE_URL", "postgresql://localhost/x")
    assert "FORTNIGHT_DATABASE_URL" in refusal().remedy


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("epochs = 3", "epochs"),
        ("[training]\nepoch = 3", "training.epoch"),
        ("[traning]\nepochs = 3", "traning"),
        (SERIES + "colour = 'red'", "series.0.colour"),
        (SERIES.replace("Europe/Berlin", "Europe/Bärlin"), "Europe/Bärlin"),
        (SERIES.replace("Europe/Berlin", "../../etc/passwd"), "../../etc/passwd"),
        (SERIES.replace("Europe/Berlin", ""), "series.0.time_zone"),
        (SERIES.replace('"north"', '"North Sea"'), "series.0.id"),
        (SERIES + "interval_minutes = 7", "7 minutes do not divide a day"),
        (SERIES + SERIES, "series id 'north' is given twice"),
        ("[training", "fortnight.toml"),
        ("training = 3", "training"),
    ],
)
def test_a_wrong_file_is_refused(home: Path, text: str, named: str) -> None:
    path = write(home, text)
    error = refusal()
    assert named in error.problem
    assert str(path) in error.problem + error.remedy


def test_a_config_file_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORTNIGHT_CONFIG", str(tmp_path / "missing.toml"))
    error = refusal()
    assert "missing.toml" in error.problem
    assert "unset it" in error.remedy


def test_an_override_goes_before_everything(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, "git_sha = 'from the file'")
    monkeypatch.setenv("FORTNIGHT_GIT_SHA", "from the environment")
    assert load_settings(git_sha="given").git_sha == "given"
    assert "git_sh" in refusal(git_sh="given").problem


@pytest.mark.parametrize("reference", ["[8, 63]", "[8, 8]", "[-1, -5]"])
def test_a_drift_reference_that_holds_no_day_is_refused(home: Path, reference: str) -> None:
    write(home, f"[drift]\nreference_days = {reference}")
    assert "reference_days" in refusal().problem


def test_an_alarm_that_could_never_ring_is_refused(home: Path) -> None:
    write(home, "[drift]\nrecent = 2\nneeded = 3")
    assert "needed" in refusal().problem


@pytest.mark.parametrize(
    ("section", "lines", "named"),
    [
        ("drift.realised", "reference_days = [8, 63]", "reference_days"),
        ("drift.realised", "min_reference = 64", "min_reference"),
        ("drift.realised", "shortest = 30", "shortest"),
        ("drift.realised", "z_digest = 9", "z_digest"),
        ("drift.shift", "from_hour = 12\nto_hour = 4", "hours 12 to 4"),
        ("drift.shift", "to_hour = 23", "hours 4 to 23"),
        ("drift.shift", "reference_days = [36, 2]", "reference_days"),
        ("drift.shift", "needed = 4", "needed"),
        ("drift.band", "lead_groups = [[7, 2]]", "lead_groups"),
        ("drift.band", "min_days = 30", "min_days"),
    ],
)
def test_watching_that_could_find_nothing_is_refused(home: Path, section: str, lines: str, named: str) -> None:
    write(home, f"[{section}]\n{lines}")
    assert named in refusal().problem


@pytest.mark.parametrize("show", [repr, str, Settings.model_dump_json])
def test_the_database_password_is_not_shown(show: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORTNIGHT_DATABASE_URL", "postgresql://me:sesame@db/forecasts")
    settings = load_settings()
    assert settings.database_url is not None
    assert "sesame" in settings.database_url.get_secret_value()
    assert callable(show)
    assert "sesame" not in show(settings)


def test_no_message_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORTNIGHT_DATABASE_URL", "postgresql://me:sesame@db/forecasts")
    monkeypatch.setenv("FORTNIGHT_MLFLOW_TRACKING_URI", "https://me:sesame@mlflow")
    assert "sesame" not in str(refusal(git_sh="a key that does not exist"))


def described(series_id: str, source: str, region: str = "DE") -> SeriesSettings:
    return SeriesSettings(
        id=series_id,
        name="North",
        region=region,
        time_zone="Europe/Berlin",
        interval_minutes=15,
        publication_delay_minutes=90,
        source=source,
    )


def test_a_described_series_is_a_demand_series() -> None:
    series = demand_series(described("north", "csv"))
    assert (series.series_id, series.name, series.region, series.source) == ("north", "North", "DE", "csv")
    assert (series.interval, series.publication_delay) == (timedelta(minutes=15), timedelta(minutes=90))
    assert (series.quantity, series.simulated, str(series.zone)) == (Quantity.DEMAND, False, "Europe/Berlin")
    assert demand_series(described("simulated-north", "simulated")).simulated


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (described("north", "simulated"), "north"),  # an id that hides that the series is simulated
        (described("not-simulated", "simulated"), "not-simulated"),
        (described("simulated-north", "csv"), "simulated-north"),  # one that feigns it
        (described("north", "parquet"), "parquet"),
        (described("north", "csv", region="XX"), "XX"),
    ],
)
def test_a_series_that_cannot_be_is_refused(given: SeriesSettings, named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        demand_series(given)
    assert named in caught.value.problem
    assert caught.value.remedy


def test_own_series_leave_the_built_in_ones_reachable_by_name_only() -> None:
    own = {"id": "berlin", "name": "B", "region": "DE", "time_zone": "Europe/Berlin", "source": "csv", "options": {"path": "b.csv"}}
    settings = load_settings(series=[own])
    assert [given.id for given in choose_series(settings)] == ["berlin"]
    assert [given.id for given in choose_series(settings, series_ids=["vic"])] == ["vic"]
    with pytest.raises(SettingsError, match="--path belongs to one csv series, not to berlin, vic; name one with --series"):
        choose_series(settings, path=Path(__file__))


def test_commands_on_stored_series_leave_out_those_without_readings() -> None:
    settings = load_settings()
    assert [given.id for given in choose_series(settings)] == ["simulated"]
    assert [given.id for given in choose_series(settings, stored=["simulated", "vic"])] == ["simulated"]
    assert [given.id for given in choose_series(settings, stored=["vic"])] == ["vic"]


def test_an_empty_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORTNIGHT_HOME", "")
    assert load_settings().home.name == ".fortnight"


@pytest.mark.parametrize(
    "text", ['[alerts.channels]\nops = "json://me:sesame@host"', '[alerts.channels.ops]\nurl = "json://me:sesame@host"']
)
def test_a_secret_address_in_the_file_is_refused_without_being_told(home: Path, text: str) -> None:
    write(home, text)
    error = refusal()
    assert "alert channel 'ops'" in error.problem
    assert "url_env" in error.remedy
    assert "sesame" not in str(error)


def test_a_channel_is_described_in_the_file_and_addressed_by_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, '[alerts.channels.ops]\ntakes = ["page"]\n[alerts.channels.team]\nurl_env = "TEAM_MAIL"')
    monkeypatch.setenv("FORTNIGHT_ALERTS__CHANNELS__OPS__URL", "json://me:sesame@host/path?rto=5")
    settings = load_settings()
    ops, team = settings.alerts.channels["ops"], settings.alerts.channels["team"]
    assert (ops.address().get_secret_value(), ops.takes) == ("json://me:sesame@host/path?rto=5", ("page",))
    assert "sesame" not in f"{settings!r}{settings.model_dump_json()}"
    with pytest.raises(SettingsError, match="TEAM_MAIL is not set"):
        team.address()
    monkeypatch.setenv("TEAM_MAIL", "mailto://sesame")
    assert team.address().get_secret_value() == "mailto://sesame"


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("FORTNIGHT_ALERTS__CHANNELS__OPS", "json://sesame", "CHANNELS__NAME__URL"),
        ("FORTNIGHT_ALERTS__CHANNELS__OPS__TAKES", '["page"]', "url_env"),
        ("FORTNIGHT_ALERTS__CHANNELS__OPS__URL_ENV", "json://sesame", "alerts.channels.ops.url_env"),
        ("FORTNIGHT_ALERTS__CHANNELS__LOG__URL", "json://sesame", "'log' cannot be a channel"),
        ("FORTNIGHT_ALERTS__ON_DRIFT", "panic", "alerts.on_drift"),
        ("FORTNIGHT_ALERTS__TRIES", "0", "alerts.tries"),
    ],
)
def test_a_channel_that_cannot_be_is_refused(variable: str, value: str, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    error = refusal()
    assert named in error.problem
    assert "sesame" not in str(error)


@pytest.fixture
def secret_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that Docker or systemd would mount; what is adopted from it goes away with the test."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setenv("FORTNIGHT_SECRETS", str(folder))
    return folder


def test_a_file_stands_for_a_variable(secret_files: Path) -> None:
    (secret_files / "fortnight_database_url").write_text("postgresql://me:sesame@db/power\n")
    (secret_files / "FORTNIGHT_SERVE__PASSWORD").write_text("long enough sesame\r\n")
    (secret_files / "eia_api_key").write_text(" key with blanks ")
    settings = load_settings()
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://me:sesame@db/power"
    assert settings.serve.password is not None
    assert settings.serve.password.get_secret_value() == "long enough sesame"
    assert os.environ["EIA_API_KEY"] == " key with blanks "  # the variables of feeds and channels come the same way
    assert "sesame" not in f"{settings!r}{settings.model_dump_json()}"


def test_a_variable_goes_before_the_file(secret_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (secret_files / "fortnight_serve__password").write_text("that of the file")
    monkeypatch.setenv("FORTNIGHT_SERVE__PASSWORD", "that of the variable")
    password = load_settings().serve.password
    assert password is not None
    assert password.get_secret_value() == "that of the variable"


def test_what_is_no_variable_is_left_alone(secret_files: Path) -> None:
    (secret_files / "tls.key").write_bytes(b"\xff\xfe")
    (secret_files / "..data").mkdir()  # as Kubernetes has it
    (secret_files / "fortnight_home").mkdir()
    before = dict(os.environ)
    load_settings()
    assert dict(os.environ) == before


def test_an_unknown_variable_as_a_file_is_refused_too(secret_files: Path) -> None:
    (secret_files / "fortnight_databse_url").write_text("postgresql://me:sesame@db/power")
    assert "FORTNIGHT_DATABSE_URL" in refusal().problem


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"sesame\xff\xfe", "cannot be read"),
        (b"sesame" * 20_000, "large or binary"),
        (b"sesame\x00sesame", "large or binary"),
    ],
    ids=["not UTF-8", "too large", "binary"],
)
def test_a_file_that_holds_no_secret_is_refused_without_being_told(secret_files: Path, content: bytes, told: str) -> None:
    path = secret_files / "fortnight_serve__password"
    path.write_bytes(content)
    error = refusal()
    assert f"secret {path}" in error.problem
    assert told in error.problem
    assert "sesame" not in str(error)


def test_a_file_that_cannot_be_read_is_refused(secret_files: Path) -> None:
    path = secret_files / "fortnight_serve__password"
    path.symlink_to("/proc/self/mem")  # not even root may read its beginning
    error = refusal()
    assert f"secret {path} cannot be read" in error.problem
    assert "user that fortnight runs as" in error.remedy


def test_a_folder_of_secrets_that_is_missing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORTNIGHT_SECRETS", str(tmp_path / "nowhere"))
    error = refusal()
    assert "nowhere, which is no folder" in error.problem
    (tmp_path / "nowhere").write_text("a file")
    assert "nowhere, which is no folder" in refusal().problem


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"HOST": "example.org"}, "is no address"),
        ({"HOST": EVERYWHERE, "PASSWORD": "sesame"}, "fewer than 12 characters"),
        ({"PASSWORD": "sesame"}, "fewer than 12 characters"),
        ({"PASSWORD": "a long sesame", "USER": "ann:bob"}, "leave out the colon"),
    ],
)
def test_who_may_be_asked_from_elsewhere_has_a_password(
    variables: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"FORTNIGHT_SERVE__{name}", value)
    error = refusal()
    assert told in error.problem
    assert "sesame" not in str(error)


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.168.1.7"])
def test_nothing_listens_beyond_loopback_without_a_password(host: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORTNIGHT_SERVE__HOST", host)
    settings = load_settings()  # other commands do not mind
    for command in (mlflow_command, prefect_command):
        with pytest.raises(SettingsError, match=r"from other machines; set FORTNIGHT_SERVE__PASSWORD"):
            command(settings, 5000)
    monkeypatch.setenv("FORTNIGHT_SERVE__PASSWORD", "a long sesame")
    load_settings().serve.require_password()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_loopback_needs_no_password(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORTNIGHT_SERVE__HOST", host)
    serve = load_settings().serve
    serve.require_password()
    assert serve.password is None


@pytest.mark.parametrize("key", ["password", "heartbeat_url", "prefect_database_url", "mlflow_database_url"])
def test_a_secret_of_serving_in_the_file_is_refused_without_being_told(home: Path, key: str) -> None:
    write(home, f'[serve]\n{key} = "a long sesame"')
    error = refusal()
    assert f"holds serve.{key}" in error.problem
    assert f"FORTNIGHT_SERVE__{key.upper()}" in error.remedy
    assert "sesame" not in str(error)
