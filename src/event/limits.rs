//! Every limit of the service, named, with its reason. Over a limit is an answer, not a slow server.

/// Longest identifier, in bytes. The contract's figure; long enough for any UUID or URN.
pub const IDENTIFIER_BYTES_MAX: usize = 128;
/// Longest keyed hash accepted as a token, in bytes: SHA-512 in full.
pub const TOKEN_BYTES_MAX: usize = 64;
/// Shortest keyed hash accepted as a token, in bytes. The contract truncates to 16 at the least.
pub const TOKEN_BYTES_MIN: usize = 16;
/// Longest short text (zone names, user agents, fingerprints, program names), in bytes.
pub const TEXT_BYTES_MAX: usize = 128;
/// How far ahead of the service's clock an event may be dated, in microseconds: five minutes of clock error.
pub const FUTURE_MICROS_MAX: i64 = 5 * 60 * 1_000_000;
/// Latest instant accepted, in microseconds since 1970: the end of year 9999, where RFC 3339 ends.
pub const EVENT_TIME_MICROS_MAX: i64 = 253_402_300_799_999_999;
/// Longest active span of one event, in microseconds: a day, since one event is one stretch of work.
pub const ACTIVE_SPAN_MICROS_MAX: i64 = 24 * 3_600 * 1_000_000;

/// Most address databases looked into: places, systems, kinds of network and anonymizers of two makers each.
pub const ADDRESS_DATABASES_MAX: usize = 8;

/// Most presses in one typing sample: over an hour of fast typing.
pub const PRESSES_MAX: usize = 10_000;
/// Longest press-to-press interval, in microseconds. The contract's figure.
pub const PRESS_INTERVAL_MICROS_MAX: u32 = 10_000_000;
/// Longest dwell, in microseconds. The contract's figure.
pub const DWELL_MICROS_MAX: u32 = 2_000_000;
/// Coarsest clock accepted, in microseconds. Coarser than a second says nothing about a hand.
pub const TIMER_RESOLUTION_MICROS_MAX: u32 = 1_000_000;
/// Most counted-not-sent things (drops, insertions, compositions) in one sample.
pub const COUNT_MAX: u32 = 1_000_000;

/// Fewest presses behind a cadence table: fewer would let its counts spell. The contract's figure.
pub const TABLE_PRESSES_MIN: u32 = 200;
/// Most presses behind a cadence table.
pub const TABLE_PRESSES_MAX: u32 = 10_000_000;
/// Most keys in a cadence table. The contract's figure.
pub const TABLE_KEYS_MAX: usize = 32;
/// Most digraphs in a cadence table. The contract's figure.
pub const TABLE_DIGRAPHS_MAX: usize = 512;
/// Step to which table times are rounded down on receipt, in microseconds, so that nothing finer is kept.
pub const TABLE_TIME_STEP_MICROS: u32 = 500;

/// Most moves in one pointer sample: twenty seconds of a 1000 Hz mouse in motion.
pub const MOVES_MAX: usize = 20_000;
/// Longest gap between moves, in microseconds: an hour.
pub const MOVE_INTERVAL_MICROS_MAX: u32 = 2_147_000_000;
/// Largest movement in one event, in pixels either way.
pub const MOVE_DELTA_MAX: i32 = 1_000_000;

/// Most prompts in one challenge.
pub const PROMPTS_MAX: usize = 64;
/// Longest reaction taken for an answer, in microseconds: a minute.
pub const REACTION_MICROS_MAX: u32 = 60_000_000;
/// Fastest display refresh believed, in thousandths of hertz.
pub const REFRESH_RATE_MILLIHERTZ_MAX: u32 = 1_000_000;

/// Most event delays in one remote-input sample.
pub const EVENT_DELAYS_MAX: usize = 10_000;
/// Largest event delay either way, in microseconds: clocks may differ by minutes.
pub const EVENT_DELAY_MICROS_MAX: i32 = 2_147_000_000;
/// Most key-repeat intervals in one sample.
pub const KEY_REPEATS_MAX: usize = 10_000;
/// Most remote-control programs named. The contract's figure.
pub const PROGRAMS_MAX: usize = 16;
/// Most stalls named. The contract's figure.
pub const STALLS_MAX: usize = 16;
/// Most natural loops and corrections. The contract's figure.
pub const LOOPS_MAX: usize = 64;

/// Most round trips in one column of a network sample.
pub const ROUND_TRIPS_MAX: usize = 256;
/// Longest round trip, in microseconds: a minute; beyond it the connection is gone.
pub const ROUND_TRIP_MICROS_MAX: u32 = 60_000_000;
/// Most anchors. The contract's figure.
pub const ANCHORS_MAX: usize = 16;
/// Most round trips per anchor. The contract's figure.
pub const ANCHOR_ROUND_TRIPS_MAX: usize = 16;
/// Most site tokens. The contract's figure.
pub const SITE_TOKENS_MAX: usize = 4;
/// Largest radius of a place, in kilometres: half the circumference of the Earth.
pub const PLACE_RADIUS_KM_MAX: u32 = 20_038;

/// Most peripherals. The contract's figure.
pub const PERIPHERALS_MAX: usize = 32;
/// Most displays believed.
pub const DISPLAYS_MAX: u32 = 64;

/// Most events in one batch. The contract's figure.
pub const BATCH_EVENTS_MAX: usize = 1000;
/// Violations listed in one error; further ones are counted in `violation_count` only.
pub const VIOLATIONS_MAX: usize = 256;
/// How long replies are kept for idempotency at the least, in microseconds: 24 hours. The contract's figure.
pub const REPLY_RETENTION_MICROS: i64 = 24 * 3_600 * 1_000_000;
/// Largest gRPC message taken, in bytes: a batch of 1000 rich logins with room to spare.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest NDJSON line taken, in bytes.
pub const LINE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most entries per page of a listing. The contract's figure.
pub const PAGE_SIZE_MAX: u32 = 1000;
/// Entries per page when none are asked for. The contract's figure.
pub const PAGE_SIZE_DEFAULT: u32 = 50;

/// Workers remembered per token. A token on more workers than this is a crowd (a campus, a carrier), not a site.
pub const WORKERS_PER_TOKEN_MAX: usize = 64;

/// Workers noted as typing like one worker, the most alike first: an operator's personas are a dozen, and a hand that
/// more than this share is a machine's or says nothing.
pub const ALIKE_PER_WORKER_MAX: usize = 64;

/// Workers ranked for an analyst who asks who types like one.
pub const TYPIST_CANDIDATES_MAX: u32 = 100;

/// The same when no number is asked for: a list a person can look through.
pub const TYPIST_CANDIDATES_DEFAULT: u32 = 10;
/// Tokens remembered per worker and kind; the oldest goes first.
pub const TOKENS_PER_WORKER_MAX: usize = 8;

/// Reasons cleared by one entry of feedback: more than there are codes.
pub const CLEARED_REASONS_MAX: usize = 64;
/// Entries per feedback batch. The contract's figure.
pub const BATCH_FEEDBACK_MAX: usize = 1000;
/// Entries of feedback kept per worker: a review a week for twenty years. Further ones are refused, never dropped.
pub const FEEDBACK_PER_WORKER_MAX: usize = 1000;
/// Watchers of standings per tenant: consoles, pipelines and their spares.
pub const WATCHERS_PER_TENANT_MAX: usize = 64;
/// Most members of one operator cluster. A larger one is cut at its weakest links.
pub const WORKERS_PER_CLUSTER_MAX: usize = 1000;
/// Links told with one cluster, the strongest: more than hold it together.
pub const LINKS_PER_CLUSTER_MAX: usize = 1000;
/// How long a nonce is valid, in minutes: as long as a login page may stay open. The contract says minutes.
pub const NONCE_MINUTES: u32 = 10;
/// Longest validity of a nonce that may be configured, in minutes.
pub const NONCE_MINUTES_MAX: u32 = 60;
/// Workers to be told of another's event, waiting at once. Beyond it they wait for their own next event.
pub const IMPLICATIONS_WAITING_MAX: usize = 4096;
/// Sessions monitored at once when the configuration names no other number: 10 000 take under 400 MiB.
pub const MONITORED_SESSIONS: usize = 10_000;
/// Time between unprompted verdicts of a monitored session when none is asked for, in microseconds. The contract's figure.
pub const VERDICT_INTERVAL_MICROS: i64 = 10 * 1_000_000;
/// Shortest such time that may be asked for, in microseconds. The contract's figure.
pub const VERDICT_INTERVAL_MICROS_MIN: i64 = 1_000_000;
/// How long a monitored session waits for its client after the stream broke, in microseconds: ten minutes cover a
/// restart of the client and a lost network. Then it is closed with what it has.
pub const MONITOR_RESUME_MICROS: i64 = 10 * 60 * 1_000_000;
/// How long an open stream may say nothing before its session is closed, in seconds: an hour, a long lunch.
pub const MONITOR_IDLE_SECONDS: u64 = 3_600;
/// Longest monitored session, in microseconds: a day, as for the active span of an event.
pub const MONITOR_SPAN_MICROS_MAX: i64 = ACTIVE_SPAN_MICROS_MAX;
/// Newest presses of free typing kept of a monitored session: a window of key transport and some; closed windows leave
/// their scores.
pub const MONITOR_PRESSES_KEPT: usize = 256;
/// Newest pointer moves kept of a monitored session: five windows of motion.
pub const MONITOR_MOVES_KEPT: usize = 256;
/// Newest event delays, key repeats and bare pointer intervals kept of a monitored session, each.
pub const MONITOR_TIMINGS_KEPT: usize = 128;
/// Newest presses judged beside the whole: the length at which the transport of keys was measured.
pub const WINDOW_PRESSES: usize = 200;
/// Newest moves judged beside the whole: five windows of motion.
pub const WINDOW_MOVES: usize = 250;
/// Newest event delays judged beside the whole.
pub const WINDOW_DELAYS: usize = 64;
/// Newest answers to prompts judged beside the whole: a handful tells a loop.
pub const WINDOW_PROMPTS: usize = 5;
