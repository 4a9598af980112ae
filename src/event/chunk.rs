//! One chunk of a live session, checked by the rules of the sample it holds.
//!
//! Field paths are those of `MonitorSessionRequest`: a bad dwell is `typing.dwell_micros[17]`, a chunk without its time
//! `chunk_time`.

use super::violation::Violations;
use super::{
    CadenceTable, CadenceTableUnchecked, ChallengeSample, ChallengeUnchecked, DeviceSample, DeviceUnchecked,
    DurationUnchecked, EventTime, NetworkSample, NetworkUnchecked, PointerSample, PointerUnchecked, RemoteInputSample,
    RemoteInputUnchecked, Rules, TablePolicy, TimestampUnchecked, TimezoneSample, TimezoneUnchecked, TypingSample,
    TypingUnchecked, check_typing_policy, limits,
};

/// One checked chunk: what one message adds to, or replaces in, a live session.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each variant is the sample it holds")]
pub enum Chunk {
    Typing(TypingSample),
    RemoteInput(Box<RemoteInputSample>),
    Network(Box<NetworkSample>),
    Timezone(TimezoneSample),
    Device(Box<DeviceSample>),
    Pointer(PointerSample),
    Challenge(ChallengeSample),
    Cadence(CadenceTable),
}

/// A chunk as it came off the wire.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each variant is the proto's field of the same name")]
pub enum ChunkUnchecked {
    Typing(TypingUnchecked),
    RemoteInput(Box<RemoteInputUnchecked>),
    Network(Box<NetworkUnchecked>),
    Timezone(TimezoneUnchecked),
    Device(DeviceUnchecked),
    Pointer(PointerUnchecked),
    Challenge(ChallengeUnchecked),
    Cadence(CadenceTableUnchecked),
}

impl ChunkUnchecked {
    /// Checks the sample, recording each violation in `v`. `None` when any was found.
    pub fn check(self, rules: &Rules, v: &mut Violations) -> Option<Chunk> {
        match self {
            Self::Typing(sample) => {
                let before = v.total();
                check_typing_policy("typing", &sample, false, rules, v);
                let checked = sample.check("typing", v);
                checked.filter(|_| v.total() == before).map(Chunk::Typing)
            }
            Self::RemoteInput(sample) => {
                sample.check("remote_input", v).map(|sample| Chunk::RemoteInput(Box::new(sample)))
            }
            Self::Network(sample) => sample.check("network", v).map(|sample| Chunk::Network(Box::new(sample))),
            Self::Timezone(sample) => sample.check("timezone", v).map(Chunk::Timezone),
            Self::Device(sample) => sample.check("device", v).map(|sample| Chunk::Device(Box::new(sample))),
            Self::Pointer(sample) => sample.check("pointer", v).map(Chunk::Pointer),
            Self::Challenge(sample) => sample.check("challenge", v).map(Chunk::Challenge),
            Self::Cadence(table) => {
                let before = v.total();
                if rules.tables == TablePolicy::Refused {
                    v.add(
                        "cadence",
                        "is refused: the tenant has not opted in to cadence tables; send none, or have them enabled",
                    );
                }
                let checked = table.check("cadence", v);
                checked.filter(|_| v.total() == before).map(Chunk::Cadence)
            }
        }
    }
}

/// Checks when a chunk's samples end: not before those already taken, not ahead of the service's clock, not more than
/// a day after the session began.
pub fn check_chunk_time(
    time: Option<TimestampUnchecked>,
    begin: EventTime,
    latest: EventTime,
    rules: &Rules,
    v: &mut Violations,
) -> Option<EventTime> {
    const FIELD: &str = "chunk_time";
    let Some(time) = time else {
        v.add(FIELD, "is required on every chunk but `close`: say when its samples end, in UTC");
        return None;
    };
    let time = time.check_not_ahead(FIELD, rules, v)?;
    if time < latest {
        v.add(FIELD, "lies before that of the chunk taken last: send chunks in the order of their time");
        return None;
    }
    if time.micros_since(begin) > limits::MONITOR_SPAN_MICROS_MAX {
        v.add(FIELD, "lies more than 24 hours after the session was opened: close it and open another");
        return None;
    }
    Some(time)
}

/// Checks the shortest time between unprompted verdicts, microseconds; the contract's 10 s when absent.
pub fn check_verdict_interval(span: Option<DurationUnchecked>, field: &str, v: &mut Violations) -> Option<i64> {
    let Some(span) = span else { return Some(limits::VERDICT_INTERVAL_MICROS) };
    let micros = span.seconds.checked_mul(1_000_000).and_then(|whole| whole.checked_add(i64::from(span.nanos) / 1000));
    let allowed = limits::VERDICT_INTERVAL_MICROS_MIN..=limits::MONITOR_SPAN_MICROS_MAX;
    match micros {
        Some(micros) if allowed.contains(&micros) => Some(micros),
        _ => {
            v.add(field, "must lie between 1 second and 24 hours; leave it out for 10 seconds");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules =
        Rules { now: Some(EventTime(1_000_000_000_000)), secret_typing_allowed: false, tables: TablePolicy::Refused };

    fn time(micros: i64) -> Option<TimestampUnchecked> {
        Some(TimestampUnchecked { seconds: micros / 1_000_000, nanos: (micros % 1_000_000) as i32 * 1_000 })
    }

    fn field_of(time: Option<TimestampUnchecked>, latest: i64) -> Option<String> {
        let mut v = Violations::default();
        let checked = check_chunk_time(time, EventTime(0), EventTime(latest), &RULES, &mut v);
        assert_eq!(checked.is_none(), !v.none());
        v.list().first().map(|violation| violation.field.clone())
    }

    #[test]
    fn a_chunk_may_repeat_its_time_and_not_turn_it_back() {
        assert_eq!(field_of(time(5_000_000), 5_000_000), None);
        assert_eq!(field_of(time(4_999_999), 5_000_000).as_deref(), Some("chunk_time"));
        assert_eq!(field_of(None, 0).as_deref(), Some("chunk_time"));
    }

    #[test]
    fn a_chunk_lies_neither_in_the_future_nor_beyond_a_day() {
        let day = limits::MONITOR_SPAN_MICROS_MAX;
        assert_eq!(field_of(time(day), 0), None);
        assert_eq!(field_of(time(day + 1), 0).as_deref(), Some("chunk_time"));
        assert_eq!(field_of(time(1_000_000_000_000 + limits::FUTURE_MICROS_MAX + 1), 0).as_deref(), Some("chunk_time"));
    }

    #[test]
    fn a_refused_chunk_names_every_field_by_its_path() {
        let chunk = ChunkUnchecked::Typing(TypingUnchecked {
            context: 3,
            press_interval_micros: vec![5, 99_000_000],
            dwell_micros: vec![1],
            timer_resolution_micros: 1_000,
            ..Default::default()
        });
        let mut v = Violations::default();
        assert_eq!(chunk.check(&RULES, &mut v), None);
        let fields: Vec<&str> = v.list().iter().map(|violation| violation.field.as_str()).collect();
        let expected = [
            "typing.context",
            "typing.dwell_micros",
            "typing.press_interval_micros[0]",
            "typing.press_interval_micros[1]",
        ];
        assert_eq!(fields, expected);
        let table = ChunkUnchecked::Cadence(CadenceTableUnchecked::default());
        let mut v = Violations::default();
        assert_eq!(table.check(&RULES, &mut v), None);
        assert!(v.names("cadence") && v.names("cadence.press_count"));
    }

    #[test]
    fn an_interval_is_a_second_at_the_least_and_ten_when_absent() {
        let check = |span| check_verdict_interval(span, "open.min_verdict_interval", &mut Violations::default());
        assert_eq!(check(None), Some(10_000_000));
        assert_eq!(check(Some(DurationUnchecked { seconds: 1, nanos: 0 })), Some(1_000_000));
        assert_eq!(check(Some(DurationUnchecked { seconds: 0, nanos: 999_999_999 })), None);
        assert_eq!(check(Some(DurationUnchecked { seconds: -5, nanos: 0 })), None);
    }
}
