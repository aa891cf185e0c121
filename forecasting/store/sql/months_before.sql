SELECT month, 'forecast_value_' || to_char(month, 'YYYY_MM')
FROM fortnight.forecast_month
WHERE (month + interval '1 month') AT TIME ZONE 'UTC' <= %(before)s
ORDER BY month
