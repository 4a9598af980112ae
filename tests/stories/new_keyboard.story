# Nina in Boston gets a new keyboard on day 15. Her rhythm is strange to her own profile. After an identity check the
# help desk has her next ten logins learned from, vetted: PROFILE_UPDATE_ALWAYS. Nora has the same luck and no vetting.
worker nina in Boston
worker nora in Atlanta

days 1-12 at 09:00 and 13:30: nina and nora log in
  | nina: 20 LOW, risk up to about 0; last: nothing stands out
  | standing: not near a flag, nothing stands out
  | nora: 20 LOW, risk up to about 0; last: nothing stands out
  | standing: not near a flag, nothing stands out
day 12 at 18:00: GetVerdict nina
  | as it was given
  | families alone: timezone +0, typing -2, remote_input -8, network -1, crowd +0, telemetry +0
  | the hand: local, near
day 15 at 09:00: nina and nora log in with typing own hand on a new keyboard
  | nina: 1 LOW, risk up to about 0; last: nothing stands out
  | standing: not near a flag, nothing stands out
  | nora: 1 LOW, risk up to about 0; last: nothing stands out
  | standing: not near a flag, nothing stands out
day 15 at 09:40: GetVerdict nina
  | as it was given
  | families alone: timezone +0, typing +0, remote_input -9, network -1, crowd +0, telemetry +0
  | the hand: local, near
day 15 at 09:40: GetVerdict nora
  | as it was given
  | families alone: timezone +0, typing +0, remote_input -8, network -1, crowd +0, telemetry +0
  | the hand: local, near
days 15-19 at 10:00 and 13:30: nina logs in with typing own hand on a new keyboard, learning always
  | nina: 10 LOW, risk up to about 0; last: nothing stands out
  | standing: not near a flag, nothing stands out
days 15-19 at 10:00 and 13:30: nora logs in with typing own hand on a new keyboard
  | nora: 10 LOW, risk up to about 0; last: +0.5 TYPING_DIFFERENT_TYPIST
  | standing: not near a flag, nothing stands out
day 19 at 18:00: GetVerdict nina
  | as it was given
  | families alone: timezone +0, typing -1, remote_input -5, network -1, crowd +0, telemetry +0
  | the hand: local, near
day 19 at 18:00: GetVerdict nora
  | as it was given
  | families alone: timezone +0, typing +1, remote_input -9, network -1, crowd +0, telemetry +0
  | the hand: local, near
days 22-26 at 09:00: nina and nora log in with typing own hand on a new keyboard
  | nina: 5 LOW, risk up to about 0; last: nothing stands out
  | standing: not near a flag, nothing stands out
  | nora: 5 LOW, risk up to about 0; last: nothing stands out
  | standing: not near a flag, nothing stands out
day 26 at 12:00: GetVerdict nina
  | as it was given
  | families alone: timezone +0, typing -2, remote_input -9, network -1, crowd +0, telemetry +0
  | the hand: local, near
day 26 at 12:00: GetProfile nina
  | 36 sessions learned from
day 26 at 12:00: GetStanding nina
  | not near a flag, evidence -2 of 11 after 36 sessions: nothing stands out
day 26 at 12:00: WatchStandings
  | silence

# A stranger at the same keyboard is still told.
day 27 at 09:00: nina logs in with typing hand of oscar
  | nina: 1 LOW, risk up to about 0; last: +1 TYPING_DIFFERENT_TYPIST
  | standing: not near a flag, nothing stands out
day 27 at 12:00: GetVerdict nina
  | as it was given
  | families alone: timezone +0, typing +2, remote_input -8, network -1, crowd +0, telemetry +0
  | the hand: local, near

expect nina with TYPING_DIFFERENT_TYPIST on day 15
expect nina without TYPING_DIFFERENT_TYPIST from day 22 to day 26
expect nina with TYPING_DIFFERENT_TYPIST on day 27
expect nina and nora never HIGH
expect nina and nora never flagged
