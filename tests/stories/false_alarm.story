# A company sends all traffic by a gateway in Denver that ends TCP there and has every byte inspected overseas before it
# goes on to the laptop. The client program answers 190 ms after the handshake, as one behind a proxy would: a false alarm
# about Sam. Behind the same gateway Tess's laptop hangs on a KVM, and who types sits far away.
worker sam in Denver: line gateway in Denver hiding 190 ms
worker tess in Denver: line gateway in Denver hiding 190 ms, machine behind a KVM showing box, pointer relayed, answers 320 ms late

days 1-12 at 09:00: sam and tess log in
  | sam: 10 LOW, risk up to about 0; last: +5 NETWORK_RELAY_GAP, +0.5 TIMEZONE_ACTIVITY_SHIFTED
  | FLAGGED on day 3 by session 3: +14 NETWORK_RELAY_GAP
  | standing: flagged, +14 NETWORK_RELAY_GAP
  | tess: 10 HIGH, risk up to about 100; last: +5 NETWORK_RELAY_GAP, +3.5 REMOTE_INPUT_LOOP_DELAY, +1.5 REMOTE_INPUT_DEVICE, +1.5 REMOTE_INPUT_POINTER_RELAYED
  | FLAGGED on day 1 by session 1: +5.5 NETWORK_RELAY_GAP, +5 REMOTE_INPUT_LOOP_DELAY, +5 REMOTE_INPUT_POINTER_RELAYED, +0.5 REMOTE_INPUT_DEVICE
  | standing: flagged, +14 NETWORK_RELAY_GAP, +10 REMOTE_INPUT_LOOP_DELAY, +5 REMOTE_INPUT_POINTER_RELAYED, +1 REMOTE_INPUT_DEVICE
day 12 at 20:00: GetStanding sam
  | flagged, evidence +13 of 11 after 10 sessions: +14 NETWORK_RELAY_GAP
day 12 at 20:00: GetStanding tess
  | flagged, evidence +29 of 11 after 10 sessions: +14 NETWORK_RELAY_GAP, +10 REMOTE_INPUT_LOOP_DELAY, +5 REMOTE_INPUT_POINTER_RELAYED, +1 REMOTE_INPUT_DEVICE
day 12 at 20:00: WatchStandings
  | sam is flagged
  | tess is flagged
expect sam and tess flagged now
expect sam flagged within 12 days because NETWORK_RELAY_GAP

# A reviewer asks the network team and clears that reason for both, and that reason only.
day 13 at 10:00: RecordFeedback sam GENUINE IDENTITY_CHECK clears NETWORK_RELAY_GAP
  | recorded
day 13 at 10:05: RecordFeedback tess GENUINE ANALYST clears NETWORK_RELAY_GAP
  | recorded
day 13 at 11:00: WatchStandings
  | sam is not near a flag
expect sam not flagged now
expect tess flagged now
days 15-26 at 09:00: sam and tess log in
  | sam: 10 LOW, risk up to about 0; last: +5 NETWORK_RELAY_GAP, +1 TIMEZONE_ACTIVITY_SHIFTED
  | standing: not near a flag, nothing stands out
  | tess: 10 HIGH, risk up to about 100; last: +5 NETWORK_RELAY_GAP, +3.5 REMOTE_INPUT_LOOP_DELAY, +3 REMOTE_INPUT_POINTER_RELAYED, +1.5 REMOTE_INPUT_DEVICE
  | standing: flagged, +10 REMOTE_INPUT_LOOP_DELAY, +5 REMOTE_INPUT_POINTER_RELAYED, +1 REMOTE_INPUT_DEVICE
day 26 at 20:00: GetStanding sam
  | not near a flag, evidence -1 of 11 after 20 sessions: nothing stands out
  | cleared: NETWORK_RELAY_GAP
day 26 at 20:00: GetStanding tess
  | flagged, evidence +15 of 11 after 20 sessions: +10 REMOTE_INPUT_LOOP_DELAY, +5 REMOTE_INPUT_POINTER_RELAYED, +1 REMOTE_INPUT_DEVICE
  | cleared: NETWORK_RELAY_GAP
day 26 at 20:00: WatchStandings
  | silence
expect sam not flagged now
expect tess flagged now

day 27 at 10:00: DeleteProfile sam
  | erased: 2 verdicts, 1 feedback, 0 links
expect sam unknown
