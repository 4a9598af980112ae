# Hal lives in the hills near Denver, by satellite. The satellite's operator ends TCP on the ground, so the client program
# answers half a second after the handshake: more than any two places on Earth are apart by cable.
worker hal in Denver: line satellite hill in Denver

days 1-26 at 09:00: hal logs in
  | hal: 20 LOW, risk up to about 0; last: +1.5 NETWORK_RELAY_GAP, +1 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, nothing stands out
day 26 at 20:00: GetStanding hal
  | not near a flag, evidence -2 of 11 after 20 sessions: nothing stands out
day 26 at 20:00: WatchStandings
  | silence

expect hal never HIGH
expect hal never flagged
