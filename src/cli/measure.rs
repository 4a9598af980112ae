//! Measurements in the words of people: a feature's name ends in its unit, and the unit says how to show it.
//!
//! Worked example: `remote_input.reaction_median_micros` = 687500 is "reaction, median" and "688 ms";
//! `timezone.rhythm_offset_minutes` = 480 is "UTC+8".

use crate::api::wire;

/// Units that close feature names, longest first so that `_km_per_hour` is not read as hours.
const UNITS: [&str; 12] = [
    "_km_per_hour",
    "_log_odds",
    "_log_micros",
    "_probability",
    "_minutes",
    "_micros",
    "_pixels",
    "_count",
    "_hours",
    "_ratio",
    "_rate",
    "_km",
];

/// Words of feature names that people say otherwise.
const WORDS: [(&str, &str); 12] = [
    ("rtt", "round trip"),
    ("kvm", "KVM"),
    ("p05", "5th percentile"),
    ("p10", "10th percentile"),
    ("p90", "90th percentile"),
    ("p95", "95th percentile"),
    ("median", "median"),
    ("spread", "spread"),
    ("min", "shortest"),
    ("seen", "seen before"),
    ("utc", "UTC"),
    ("offset", "UTC offset"),
];

fn split_unit(feature: &str) -> (&str, &str) {
    let name = feature.split_once('.').map_or(feature, |(_, name)| name);
    let unit = UNITS.iter().find(|unit| name.ends_with(*unit));
    unit.map_or((name, ""), |unit| (&name[..name.len() - unit.len()], unit))
}

/// What was measured, in words: the family and the unit are told elsewhere.
pub fn label(feature: &str) -> String {
    let (name, unit) = split_unit(feature);
    let mut label = String::new();
    for word in name.split('_') {
        let said = WORDS.iter().find(|(own, _)| *own == word).map(|(_, said)| *said);
        // Statistics stand after a comma: "reaction, median".
        let statistic = said.is_some_and(|said| said.ends_with("percentile")) || matches!(word, "median" | "spread");
        if !label.is_empty() {
            label.push_str(if statistic { ", " } else { " " });
        }
        label.push_str(said.unwrap_or(word));
    }
    let ending = match unit {
        "_count" => " count",
        "_rate" => " share",
        "_probability" => " probability",
        _ => "",
    };
    label.push_str(ending);
    label
}

/// Whether the feature is a finding's own log-likelihood ratio.
pub fn log_odds(feature: &str) -> bool {
    split_unit(feature).1 == "_log_odds"
}

/// A measurement with its unit.
pub fn shown(feature: &str, value: f64) -> String {
    let (name, unit) = split_unit(feature);
    match unit {
        "_micros" => span(value),
        "_minutes" if name.ends_with("rhythm_offset") => offset(value.round() as i32),
        "_minutes" => minutes(value),
        "_hours" => format!("{:02}:{:02}", value as i64, ((value.fract()) * 60.0) as i64),
        "_km" => format!("{} km", grouped(value)),
        "_km_per_hour" => format!("{} km/h", grouped(value)),
        "_rate" | "_probability" => share(value),
        "_count" if value.fract().abs() < 0.05 => grouped(value),
        "_count" => format!("{value:.1}"),
        "_log_odds" => format!("{value:+.1} nats"),
        "_pixels" => format!("{value:.0} px"),
        _ => format!("{value:.2}"),
    }
}

/// What was expected, such as "208 ms to 354 ms"; `None` without bounds.
pub fn expected(evidence: &wire::Evidence) -> Option<String> {
    let shown = |value| shown(&evidence.feature, value);
    match (evidence.expected_low, evidence.expected_high) {
        (None, None) => None,
        (Some(low), None) => Some(format!("at least {}", shown(low))),
        (None, Some(high)) => Some(format!("at most {}", shown(high))),
        (Some(low), Some(high)) if shown(low) == shown(high) => Some(shown(low)),
        (Some(low), Some(high)) => Some(format!("{} to {}", shown(low), shown(high))),
    }
}

/// What an expectation is drawn from, after "expected".
pub fn baseline(evidence: &wire::Evidence) -> &'static str {
    match evidence.baseline() {
        wire::Baseline::Worker => " from the worker's own past",
        wire::Baseline::Population => " of people in general",
        wire::Baseline::Claim => " by the claim",
        wire::Baseline::Physical => " by what is physically possible",
        wire::Baseline::Unspecified => "",
    }
}

/// A UTC offset, such as "UTC+5:30".
pub fn offset(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    match (minutes.abs() / 60, minutes.abs() % 60) {
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, rest) => format!("UTC{sign}{hours}:{rest:02}"),
    }
}

/// A share or probability in per cent, to one digit under ten.
pub fn share(value: f64) -> String {
    let percent = value * 100.0;
    if percent == 0.0 || percent >= 9.95 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}

fn span(micros: f64) -> String {
    match micros.abs() {
        small if small < 1_000.0 => format!("{micros:.0} us"),
        small if small < 9_950.0 => format!("{:.1} ms", micros / 1e3),
        small if small < 999_500.0 => format!("{:.0} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

fn minutes(value: f64) -> String {
    let whole = value.round() as i64;
    let (hours, rest) = (whole.abs() / 60, whole.abs() % 60);
    let sign = if whole < 0 { "-" } else { "" };
    match (hours, rest) {
        (0, rest) => format!("{sign}{rest} min"),
        (hours, 0) => format!("{sign}{hours} h"),
        (hours, rest) => format!("{sign}{hours} h {rest} min"),
    }
}

/// A whole number with its thousands set apart.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_shown_as_people_say_it() {
        let cases = [
            ("remote_input.reaction_median_micros", 687_500.0, "reaction, median", "688 ms"),
            ("remote_input.pointer_gap_p05_micros", 950.0, "pointer gap, 5th percentile", "950 us"),
            ("network.rtt_min_micros", 1_250_000.0, "round trip shortest", "1.25 s"),
            ("timezone.rhythm_offset_minutes", 480.0, "rhythm UTC offset", "UTC+8"),
            ("timezone.rhythm_offset_minutes", -210.0, "rhythm UTC offset", "UTC-3:30"),
            ("timezone.offset_claim_difference_minutes", -90.0, "UTC offset claim difference", "-1 h 30 min"),
            ("network.claim_distance_km", 1_234.4, "claim distance", "1,234 km"),
            ("network.travel_speed_km_per_hour", 12_000.0, "travel speed", "12,000 km/h"),
            ("timezone.claim_offset_probability", 0.034, "claim UTC offset probability", "3.4 %"),
            ("remote_input.kvm_identity_count", 1.0, "KVM identity count", "1"),
            ("remote_input.loop_log_odds", 5.09, "loop", "+5.1 nats"),
        ];
        for (feature, value, words, text) in cases {
            assert_eq!((label(feature).as_str(), shown(feature, value).as_str()), (words, text), "{feature}");
        }
    }
}
