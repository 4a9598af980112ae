# Vera claims Denver and works on the company's virtual desktop there: keys and pointer come through a relay, and prompts
# are answered 45 ms later than by a hand at the machine. The company has declared it. Finn's desktop is declared as well,
# but his hand is an ocean away. Ulla's stands in her own city, and nobody has declared it. Remote control, distance and
# permission are told apart; where few prompts leave the distance open, that is told.
worker vera in Denver: desktop virtual, answers 45 ms late, remote access sanctioned
worker finn in Phoenix: desktop virtual, answers 330 ms late, remote access sanctioned
worker ulla in Boston: desktop virtual, answers 20 ms late

days 1-11 at 09:00: vera, finn and ulla log in
  | vera: 9 LOW, risk up to about 0; last: +1 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, nothing stands out
  | finn: 9 LOW, risk up to about 0; last: +3 REMOTE_INPUT_LOOP_DELAY, +1 TIMEZONE_ACTIVITY_SHIFTED
  | standing: half way to a flag, +8.5 REMOTE_INPUT_LOOP_DELAY
  | ulla: 9 LOW, risk up to about 0; last: +4 REMOTE_INPUT_POINTER_RELAYED, +1.5 REMOTE_INPUT_SOFTWARE, +0.5 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, +5 REMOTE_INPUT_POINTER_RELAYED
day 11 at 20:00: GetVerdict vera
  | as it was given
  | families alone: timezone +1, typing -3, remote_input -4, network -1, crowd +0, telemetry +0
  | the hand: remote, near, sanctioned
day 11 at 20:00: GetVerdict finn
  | as it was given
  | families alone: timezone +2, typing -2, remote_input +4, network -1, crowd +0, telemetry +0
  | the hand: remote, far, sanctioned
day 11 at 20:00: GetVerdict ulla
  | as it was given
  | families alone: timezone +1, typing -3, remote_input +2, network -1, crowd +0, telemetry +0
  | the hand: remote, near, not sanctioned
day 12 at 09:00: vera, finn and ulla log in
  | vera: 1 LOW, risk up to about 0; last: +1 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, nothing stands out
  | finn: 1 LOW, risk up to about 0; last: +3 REMOTE_INPUT_LOOP_DELAY, +1 TIMEZONE_ACTIVITY_SHIFTED
  | standing: half way to a flag, +8.5 REMOTE_INPUT_LOOP_DELAY
  | ulla: 1 LOW, risk up to about 0; last: +4 REMOTE_INPUT_POINTER_RELAYED, +1.5 REMOTE_INPUT_SOFTWARE, +1 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, +5 REMOTE_INPUT_POINTER_RELAYED
day 12 at 20:00: GetStanding vera
  | not near a flag, evidence -1 of 11 after 10 sessions: nothing stands out
day 12 at 20:00: GetStanding finn
  | half way to a flag, evidence +8 of 11 after 10 sessions: +8.5 REMOTE_INPUT_LOOP_DELAY
day 12 at 20:00: WatchStandings
  | finn is half way to a flag

expect vera mostly remote, near, sanctioned
expect vera without REMOTE_INPUT_POINTER_RELAYED from day 1 to day 12
expect vera never HIGH
expect vera never flagged
expect finn mostly remote, far, sanctioned
expect finn with REMOTE_INPUT_LOOP_DELAY on day 12
expect finn without REMOTE_INPUT_POINTER_RELAYED from day 1 to day 12
expect ulla mostly remote, near, not sanctioned
