# Olga in Seattle works at night, which she has told nobody. Late hours are no other place.
worker olga in Seattle

days 1-28 at 22:30 and 02:00: olga logs in
  | olga: 40 LOW, risk up to about 0; last: +1 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, nothing stands out
day 28 at 12:00: GetStanding olga
  | not near a flag, evidence -2 of 11 after 40 sessions: nothing stands out
day 28 at 12:00: WatchStandings
  | silence

expect olga never HIGH
expect olga never flagged
