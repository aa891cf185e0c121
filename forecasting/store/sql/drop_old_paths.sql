-- Paths are kept of the newest issues of a series only.
DELETE FROM fortnight.forecast_path AS p
USING fortnight.forecast_issue AS i
WHERE p.issue_id = i.issue_id AND i.series_key = %(series_key)s AND i.resolution = %(resolution)s
  AND i.issue_id NOT IN (
      SELECT n.issue_id FROM fortnight.forecast_issue AS n
      WHERE n.series_key = %(series_key)s AND n.resolution = %(resolution)s
      ORDER BY n.origin DESC, n.readings_as_of DESC, n.issue_id DESC
      LIMIT %(kept)s
  )
