# Quinn claims Denver and signs in through rented household addresses there. The handshake ends in Denver; the client
# program answers 190 ms later. Clock, hands and machine show nothing.
worker quinn in Denver: line proxy in Denver hiding 190 ms

days 1-12 at 09:00: quinn logs in
  | quinn: 10 LOW, risk up to about 0; last: +5 NETWORK_RELAY_GAP, +1 TIMEZONE_ACTIVITY_SHIFTED
  | FLAGGED on day 3 by session 3: +14 NETWORK_RELAY_GAP
  | standing: flagged, +14 NETWORK_RELAY_GAP
day 12 at 20:00: WatchStandings
  | quinn is flagged
day 12 at 20:00: GetStanding quinn
  | flagged, evidence +13 of 11 after 10 sessions: +14 NETWORK_RELAY_GAP
day 12 at 20:00: ListReasonDescriptions quinn
  | NETWORK_RELAY_GAP: client is farther away than its address
  |   innocent if: A VPN or secure gateway ends the connection near the service and goes on to the worker
day 12 at 20:00: ListLinkedWorkers quinn
  | none

expect quinn flagged within 12 days because NETWORK_RELAY_GAP
expect quinn heard flagged
expect no cluster
