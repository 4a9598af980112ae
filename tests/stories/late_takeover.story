# Hugo in Atlanta is himself for three weeks. From day 22 somebody else works through a KVM at his desk, with another hand.
# His sessions are told at once. The flag waits for days, not for weeks: a standing weighs all sessions and, beside them,
# the latest days alone, so that three honest weeks do not hide what the fourth one shows.
worker hugo in Atlanta

days 1-19 at 09:00: hugo logs in
  | hugo: 15 LOW, risk up to about 0; last: +1 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, nothing stands out
day 22 at 09:00: hugo logs in with typing hand of iris, machine behind a KVM showing box, pointer relayed, answers 320 ms late
  | hugo: 1 HIGH, risk up to about 85; last: +4.5 REMOTE_INPUT_LOOP_DELAY, +1.5 REMOTE_INPUT_DEVICE, +1.5 TYPING_DIFFERENT_TYPIST, +1 REMOTE_INPUT_POINTER_RELAYED
  | standing: not near a flag, +0.5 REMOTE_INPUT_LOOP_DELAY
days 23-26 at 09:00: hugo logs in with typing hand of iris, machine behind a KVM showing box, pointer relayed, answers 320 ms late
  | hugo: 4 HIGH, risk up to about 100; last: +4.5 REMOTE_INPUT_LOOP_DELAY, +3.5 REMOTE_INPUT_POINTER_RELAYED, +1.5 REMOTE_INPUT_DEVICE, +1.5 TYPING_DIFFERENT_TYPIST
  | FLAGGED on day 24 by session 18: +11.5 REMOTE_INPUT_LOOP_DELAY, +4.5 REMOTE_INPUT_POINTER_RELAYED, +0.5 TYPING_DIFFERENT_TYPIST
  | standing: flagged, +11.5 REMOTE_INPUT_LOOP_DELAY, +4.5 REMOTE_INPUT_POINTER_RELAYED, +0.5 TYPING_DIFFERENT_TYPIST
day 26 at 20:00: GetStanding hugo
  | flagged, evidence +16 of 11 after 20 sessions: +11.5 REMOTE_INPUT_LOOP_DELAY, +4.5 REMOTE_INPUT_POINTER_RELAYED, +0.5 TYPING_DIFFERENT_TYPIST
days 29-61 at 09:00: hugo logs in with typing hand of iris, machine behind a KVM showing box, pointer relayed, answers 320 ms late
  | hugo: 1 MEDIUM, 24 HIGH, risk up to about 100; last: +4.5 REMOTE_INPUT_LOOP_DELAY, +4 REMOTE_INPUT_POINTER_RELAYED, +1.5 REMOTE_INPUT_DEVICE, +1 TIMEZONE_ACTIVITY_SHIFTED
  | standing: flagged, +12 REMOTE_INPUT_LOOP_DELAY, +5 REMOTE_INPUT_POINTER_RELAYED, +0.5 REMOTE_INPUT_DEVICE, +0.5 TYPING_DIFFERENT_TYPIST
day 61 at 20:00: GetStanding hugo
  | flagged, evidence +17 of 11 after 45 sessions: +12 REMOTE_INPUT_LOOP_DELAY, +5 REMOTE_INPUT_POINTER_RELAYED, +0.5 REMOTE_INPUT_DEVICE, +0.5 TYPING_DIFFERENT_TYPIST
day 61 at 20:00: WatchStandings
  | hugo is flagged

expect hugo LOW from day 1 to day 19
expect hugo HIGH on day 22
expect hugo with TYPING_DIFFERENT_TYPIST on day 22
expect hugo flagged within 26 days because REMOTE_INPUT_LOOP_DELAY
expect hugo heard flagged
