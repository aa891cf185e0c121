INSERT INTO fortnight.validation_score
    (model_version_key, forecaster, version, first_target, last_target, windows, pinball_mwh, mape_percent, mase, coverage_80)
VALUES
    (%(model_version_key)s, %(forecaster)s, %(version)s, %(first_target)s, %(last_target)s, %(windows)s, %(pinball_mwh)s,
     %(mape_percent)s, %(mase)s, %(coverage_80)s)
