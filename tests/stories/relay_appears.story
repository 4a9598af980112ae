# Ida in Atlanta works at her own machine for two weeks. On day 15 the morning's session is hers to the end. The afternoon's
# starts with her own mouse; half-way somebody takes over through a KVM. The service names the relay while it happens. One
# changed pointer asks for nothing more: the level stays LOW.
worker ida in Atlanta

days 1-12 at 09:00: ida logs in
  | ida: 10 LOW, risk up to about 0; last: +1 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, nothing stands out
day 15 at 09:00: ida is monitored with 8 pointer own hand
  | opened: LOW, risk about 0: +1 TIMEZONE_ACTIVITY_SHIFTED
  | closed: LOW, risk about 0: +1 TIMEZONE_ACTIVITY_SHIFTED
expect ida LOW from day 1 to day 15

day 15 at 14:00: ida is monitored with 6 pointer own hand, 6 pointer relayed
  | opened: LOW, risk about 0: +0.5 TIMEZONE_ACTIVITY_SHIFTED
  | chunk 8: LOW, risk about 0: +2.5 REMOTE_INPUT_POINTER_RELAYED, +0.5 TIMEZONE_ACTIVITY_SHIFTED
  | chunk 10: LOW, risk about 0: +3 REMOTE_INPUT_POINTER_RELAYED, +0.5 TIMEZONE_ACTIVITY_SHIFTED
  | closed: LOW, risk about 0: +3 REMOTE_INPUT_POINTER_RELAYED, +0.5 TIMEZONE_ACTIVITY_SHIFTED
day 15 at 20:00: GetVerdict ida
  | as it was given
  | families alone: timezone +1, typing -1, remote_input -2, network -1, crowd +0, telemetry +0
  | the hand: remote, near, not sanctioned
day 15 at 20:00: GetStanding ida
  | not near a flag, evidence -2 of 11 after 12 sessions: nothing stands out

expect ida told REMOTE_INPUT_POINTER_RELAYED while monitored on day 15
expect ida with REMOTE_INPUT_POINTER_RELAYED on day 15
