-- Watches take their turns, and nobody acknowledges in between.
LOCK TABLE fortnight.alert IN SHARE ROW EXCLUSIVE MODE
