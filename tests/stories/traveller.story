# Mara works from Denver. In the third week she goes to Berlin for six days: a hotel's line, and a laptop clock that she
# sets on the second day. Nobody is told. The journey may be asked about; it must not flag her.
worker mara in Denver

days 1-14 at 09:00: mara logs in
  | mara: 10 LOW, risk up to about 0; last: +1 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, nothing stands out
day 15 at 10:00 in Berlin: mara logs in with line hotel in Berlin
  | mara: 1 LOW, risk up to about 0; last: +1.5 TIMEZONE_ACTIVITY_SHIFTED, +1 NETWORK_CLAIM_MISMATCH
  | standing: not near a flag, nothing stands out
days 16-20 at 10:00 in Berlin: mara logs in with line hotel in Berlin, clock Europe/Berlin
  | mara: 4 LOW, risk up to about 0; last: +1.5 TIMEZONE_ACTIVITY_SHIFTED, +1 TIMEZONE_CLAIM_MISMATCH, +0.5 NETWORK_CLAIM_MISMATCH
  | standing: not near a flag, +0.5 TIMEZONE_CLAIM_MISMATCH
day 20 at 12:00: GetStanding mara
  | not near a flag, evidence -1 of 11 after 15 sessions: +0.5 TIMEZONE_CLAIM_MISMATCH
days 22-28 at 09:00: mara logs in
  | mara: 5 LOW, risk up to about 0; last: +1.5 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, nothing stands out
day 28 at 12:00: WatchStandings
  | silence
day 28 at 12:00: GetVerdict mara
  | as it was given
  | families alone: timezone +3, typing -1, remote_input -9, network -1, crowd +0, telemetry +0
  | the hand: local, near
day 28 at 12:00: GetProfile mara
  | 20 sessions learned from

expect mara never HIGH
expect mara never flagged
expect mara LOW from day 23 to day 28
