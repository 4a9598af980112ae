# Three laptops stand in one house in Nashville. Their workers claim Atlanta, Boston and Seattle. Each laptop hangs on a
# KVM, and who types sits an ocean away. Pat, next door to none of them, works at home in Nashville.
worker ana in Atlanta: line house maple in Nashville, machine behind a KVM showing dummy, pointer relayed, answers 320 ms late
worker ben in Boston: line house maple in Nashville, machine behind a KVM showing dummy, pointer relayed, answers 330 ms late
worker cem in Seattle: line house maple in Nashville, machine behind a KVM showing dummy, pointer relayed, answers 310 ms late
worker pat in Nashville

days 1-3 at 09:00: ana, ben, cem and pat log in
  | ana: 3 HIGH, risk up to about 100; last: +4 REMOTE_INPUT_POINTER_RELAYED, +3.5 REMOTE_INPUT_LOOP_DELAY, +3 CROWD_SHARED_SITE, +1.5 REMOTE_INPUT_DEVICE
  | FLAGGED on day 1 by session 1: +5 REMOTE_INPUT_LOOP_DELAY, +4.5 CROWD_SHARED_SITE, +2.5 REMOTE_INPUT_POINTER_RELAYED, +0.5 REMOTE_INPUT_DEVICE
  | standing: flagged, +9 REMOTE_INPUT_LOOP_DELAY, +5 REMOTE_INPUT_POINTER_RELAYED, +4.5 CROWD_SHARED_SITE, +0.5 REMOTE_INPUT_DEVICE
  | ben: 1 MEDIUM, 2 HIGH, risk up to about 95; last: +3.5 REMOTE_INPUT_LOOP_DELAY, +3 CROWD_SHARED_SITE, +3 REMOTE_INPUT_POINTER_RELAYED, +1.5 REMOTE_INPUT_DEVICE
  | FLAGGED on day 2 by session 2: +5 REMOTE_INPUT_LOOP_DELAY, +5 REMOTE_INPUT_POINTER_RELAYED, +4.5 CROWD_SHARED_SITE, +0.5 REMOTE_INPUT_DEVICE
  | standing: flagged, +9.5 REMOTE_INPUT_LOOP_DELAY, +5 REMOTE_INPUT_POINTER_RELAYED, +4.5 CROWD_SHARED_SITE, +0.5 REMOTE_INPUT_DEVICE
  | cem: 3 HIGH, risk up to about 100; last: +4 REMOTE_INPUT_POINTER_RELAYED, +3.5 REMOTE_INPUT_LOOP_DELAY, +3 CROWD_SHARED_SITE, +1.5 NETWORK_BOUND_BROKEN
  | FLAGGED on day 1 by session 1: +5 REMOTE_INPUT_LOOP_DELAY, +5 REMOTE_INPUT_POINTER_RELAYED, +4.5 CROWD_SHARED_SITE, +0.5 REMOTE_INPUT_DEVICE
  | standing: flagged, +9 REMOTE_INPUT_LOOP_DELAY, +5 REMOTE_INPUT_POINTER_RELAYED, +4.5 CROWD_SHARED_SITE, +0.5 REMOTE_INPUT_DEVICE
  | pat: 3 LOW, risk up to about 0; last: nothing stands out
  | standing: not near a flag, nothing stands out
day 3 at 20:00: WatchStandings
  | ana is flagged
  | ben is flagged
  | cem is flagged
days 4-12 at 09:00: ana, ben, cem and pat log in
  | ana: 7 HIGH, risk up to about 100; last: +4 REMOTE_INPUT_POINTER_RELAYED, +3.5 REMOTE_INPUT_LOOP_DELAY, +3 CROWD_SHARED_SITE, +1.5 REMOTE_INPUT_DEVICE
  | standing: flagged, +9 REMOTE_INPUT_LOOP_DELAY, +5 REMOTE_INPUT_POINTER_RELAYED, +4.5 CROWD_SHARED_SITE, +1 REMOTE_INPUT_DEVICE
  | ben: 7 HIGH, risk up to about 100; last: +3.5 REMOTE_INPUT_LOOP_DELAY, +3 CROWD_SHARED_SITE, +1.5 REMOTE_INPUT_DEVICE, +1.5 REMOTE_INPUT_POINTER_RELAYED
  | standing: flagged, +10 REMOTE_INPUT_LOOP_DELAY, +5 REMOTE_INPUT_POINTER_RELAYED, +4.5 CROWD_SHARED_SITE, +1 REMOTE_INPUT_DEVICE
  | cem: 7 HIGH, risk up to about 100; last: +4 REMOTE_INPUT_POINTER_RELAYED, +3.5 REMOTE_INPUT_LOOP_DELAY, +3 CROWD_SHARED_SITE, +1.5 NETWORK_BOUND_BROKEN
  | standing: flagged, +9.5 REMOTE_INPUT_LOOP_DELAY, +5 REMOTE_INPUT_POINTER_RELAYED, +4.5 CROWD_SHARED_SITE, +1 REMOTE_INPUT_DEVICE
  | pat: 7 LOW, risk up to about 0; last: +0.5 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, nothing stands out
day 12 at 20:00: WatchStandings
  | silence
day 12 at 20:00: ListOperatorClusters
  | ana and ben and cem, probability about 1.0
day 12 at 20:00: GetOperatorCluster ana
  | ana and ben and cem, probability about 1.0
  | +2 ADDRESS of ana and ben
  | +2 ADDRESS of ana and cem
  | +2 ADDRESS of ben and cem
  | +2 DISPLAY of ana and ben
  | +2 DISPLAY of ana and cem
  | +2 DISPLAY of ben and cem
  | +2 SHIPPING of ana and ben
  | +2 SHIPPING of ana and cem
  | +2 SHIPPING of ben and cem
  | +2 SITE of ana and ben
  | +2 SITE of ana and cem
  | +2 SITE of ben and cem
day 12 at 20:00: ListLinkedWorkers ana
  | +2 ADDRESS of ana and ben
  | +2 ADDRESS of ana and cem
  | +2 DISPLAY of ana and ben
  | +2 DISPLAY of ana and cem
  | +2 SHIPPING of ana and ben
  | +2 SHIPPING of ana and cem
  | +2 SITE of ana and ben
  | +2 SITE of ana and cem
day 12 at 20:00: ListLinkedWorkers pat
  | none
day 12 at 20:00: ListReasonDescriptions ana
  | REMOTE_INPUT_LOOP_DELAY: prompts answered too late for a hand at the machine
  |   innocent if: The worker was distracted, tired or reading something else
  | REMOTE_INPUT_POINTER_RELAYED: pointer moves in a relay's cadence
  |   innocent if: A sanctioned virtual or remote desktop

expect ana, ben and cem flagged within 3 days because REMOTE_INPUT_LOOP_DELAY REMOTE_INPUT_POINTER_RELAYED CROWD_SHARED_SITE
expect ana, ben and cem heard flagged
expect cluster ana ben cem
expect pat never HIGH
expect pat never flagged
expect pat unlinked

# The investigation ends; ana's data is erased, from the links of the others too.
day 13 at 10:00: RecordFeedback ana REMOTE_OPERATOR INVESTIGATION
  | recorded
day 13 at 10:00: DeleteProfile ana
  | erased: 1 verdicts, 1 feedback, 2 links
day 13 at 10:00: GetStanding ana
  | not found
day 13 at 10:00: GetVerdict ana
  | not found
day 13 at 10:00: ListLinkedWorkers ben
  | +2 ADDRESS of ben and cem
  | +2 DISPLAY of ben and cem
  | +2 SHIPPING of ben and cem
  | +2 SITE of ben and cem

expect ana unknown
expect cluster ben cem
