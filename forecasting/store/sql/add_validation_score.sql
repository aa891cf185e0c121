INSERT INTO fortnight.validation_score
    (model_version_key, forecaster, version, first_target, last_target, windows, pinball_mwh, newest_week_pinball_mwh,
     mape_percent, mase, coverage_80)
VALUES
    (%(model_version_key)s, %(forecaster)s, %(version)s, %(first_target)s, %(last_target)s, %(windows)s, %(pinball_mwh)s,
     %(newest_week_pinball_mwh)s,
     nullif(%(mape_percent)s::float8, 'NaN'), nullif(%(mase)s::float8, 'NaN'), %(coverage_80)s)
