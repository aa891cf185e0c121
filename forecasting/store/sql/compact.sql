SELECT values_dropped, paths_dropped FROM fortnight.compact(%(month)s, %(leads)s::smallint[], %(dry_run)s)
