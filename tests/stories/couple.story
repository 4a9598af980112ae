# Lea and Tom share a home in Boston, its line and its gateway. Two people in one home are no farm.
worker lea in Boston: line house elm in Boston
worker tom in Boston: line house elm in Boston

days 1-19 at 08:30: lea and tom log in
  | lea: 15 LOW, risk up to about 0; last: +1 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, nothing stands out
  | tom: 15 LOW, risk up to about 0; last: +1 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, nothing stands out
day 19 at 20:00: ListLinkedWorkers lea
  | none
day 19 at 20:00: ListOperatorClusters
  | none
day 19 at 20:00: GetStanding tom
  | not near a flag, evidence -2 of 11 after 15 sessions: nothing stands out
day 19 at 20:00: WatchStandings
  | silence

expect lea and tom never HIGH
expect lea and tom never flagged
expect lea and tom unlinked
expect no cluster

# Lea leaves the company and is erased; of Tom nothing is lost.
day 20 at 10:00: DeleteProfile lea
  | erased: 1 verdicts, 0 feedback, 1 links
day 20 at 10:00: GetStanding lea
  | not found
day 20 at 10:00: GetProfile tom
  | 15 sessions learned from

expect lea unknown
expect tom not flagged now
