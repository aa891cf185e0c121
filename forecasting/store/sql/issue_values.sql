SELECT lead, target_start, target_end, mean, q01, q05, q10, q30, q50, q70, q90, q95, q99, peak_q10_mw, peak_q50_mw, peak_q90_mw, peak_start,
       reference_mwh, calendar_mwh, weather_mwh, previous_model_mwh
FROM fortnight.forecast_value
WHERE issue_id = %(issue_id)s AND origin = %(origin)s
ORDER BY lead
