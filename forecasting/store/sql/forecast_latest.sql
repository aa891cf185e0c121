SELECT * FROM published.forecast_latest WHERE series_id = %(series_id)s AND resolution = %(resolution)s ORDER BY lead
