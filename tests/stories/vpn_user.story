# Viktor in Phoenix switches a private VPN on in his second week and never off again. Its exits are a data centre's, in
# another city now and then. He has told nobody, and nobody needs to ask.
worker viktor in Phoenix

days 1-5 at 08:30: viktor logs in
  | viktor: 5 LOW, risk up to about 0; last: +0.5 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, nothing stands out
days 8-12 at 08:30: viktor logs in with line VPN in Phoenix
  | viktor: 5 LOW, risk up to about 0; last: +1.5 TIMEZONE_ACTIVITY_SHIFTED, +0.5 NETWORK_ANONYMIZED
  | standing: not near a flag, nothing stands out
days 15-19 at 08:30: viktor logs in with line VPN in Denver
  | viktor: 5 LOW, risk up to about 0; last: +1.5 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, nothing stands out
days 22-26 at 08:30: viktor logs in with line VPN in Seattle
  | viktor: 5 LOW, risk up to about 0; last: +1.5 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, nothing stands out
day 26 at 12:00: GetStanding viktor
  | not near a flag, evidence -1 of 11 after 20 sessions: nothing stands out
day 26 at 12:00: WatchStandings
  | silence

expect viktor never HIGH
expect viktor never flagged
