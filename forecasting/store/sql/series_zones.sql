SELECT series_id, time_zone FROM fortnight.series WHERE series_id = ANY (%(series_ids)s)
