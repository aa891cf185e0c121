UPDATE fortnight.silence
SET ends_at = greatest(%(at)s, starts_at + interval '1 microsecond')
WHERE silence_id = %(silence_id)s AND ends_at > %(at)s
RETURNING silence_id
