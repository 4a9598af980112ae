//! Contributions to reason codes, with the measurement beside what was expected of it.

use crate::evidence::feature::{Baseline, Family, FeatureId, Features, Finding, HandChange, name_code, name_of_code};
use crate::model::Weighed;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Most reasons listed. The contract's figure.
pub const REASONS_MAX: usize = 16;
/// Most measurements behind one reason. The contract's figure.
pub const EVIDENCE_MAX: usize = 8;
/// Contributions under this go to the residual, nats: they would not move a probability's second digit.
const CONTRIBUTION_LISTED_MIN: f64 = 0.005;

macro_rules! reason_codes {
    ($($variant:ident = $number:literal,)*) => {
        /// What was found. Numbers are those of the wire; blocks of 100 per family.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u16)]
        #[expect(missing_docs, reason = "each is documented in proto/elsewhere/v1/verdict.proto")]
        pub enum ReasonCode { $($variant = $number,)* }

        impl ReasonCode {
            /// All codes, later additions last.
            pub const ALL: &'static [ReasonCode] = &[$(ReasonCode::$variant,)*];
        }
    };
}

reason_codes! {
    TimezoneClaimMismatch = 100,
    TimezoneActivityShifted = 101,
    TimezoneNetworkMismatch = 102,
    TimezoneCalendarElsewhere = 103,
    TypingDifferentTypist = 200,
    TypingHandover = 201,
    TypingSynthetic = 202,
    RemoteInputDelayed = 300,
    RemoteInputRelayedCadence = 301,
    RemoteInputDevice = 302,
    RemoteInputLoopDelay = 303,
    RemoteInputPointerRelayed = 304,
    RemoteInputSoftware = 305,
    RemoteInputMachineMade = 306,
    NetworkClaimMismatch = 400,
    NetworkAnonymized = 401,
    NetworkRelayGap = 402,
    NetworkImplausibleTravel = 403,
    NetworkRoundTripImplausible = 404,
    NetworkUnfamiliar = 405,
    CrowdSharedSite = 500,
    CrowdSharedTypist = 501,
    CrowdInterlockingShifts = 502,
    CrowdCommonRelay = 503,
    CrowdSharedAuthenticator = 504,
    TelemetryReplayed = 600,
    TelemetrySilent = 601,
    // Later additions stand at the end: kept verdicts hold positions.
    TypingSharedAccount = 203,
    NetworkBoundBroken = 406,
    TimezoneActivityChanged = 104,
}

impl ReasonCode {
    /// The reason a finding is told as.
    pub fn of(finding: Finding) -> Self {
        match finding {
            Finding::TimezoneClock => Self::TimezoneClaimMismatch,
            Finding::TimezoneRhythm => Self::TimezoneActivityShifted,
            Finding::TimezoneNetwork => Self::TimezoneNetworkMismatch,
            Finding::TimezoneCalendar => Self::TimezoneCalendarElsewhere,
            Finding::TimezoneChange => Self::TimezoneActivityChanged,
            Finding::TypingPhrase | Finding::TypingTable | Finding::TypingOrdered => Self::TypingDifferentTypist,
            Finding::TypingSynthetic => Self::TypingSynthetic,
            Finding::RemoteInputPointer => Self::RemoteInputPointerRelayed,
            Finding::RemoteInputKey => Self::RemoteInputRelayedCadence,
            Finding::RemoteInputLoop | Finding::RemoteInputHabits => Self::RemoteInputLoopDelay,
            Finding::RemoteInputDelay => Self::RemoteInputDelayed,
            Finding::RemoteInputDevice => Self::RemoteInputDevice,
            Finding::RemoteInputSoftware => Self::RemoteInputSoftware,
            Finding::RemoteInputMachine => Self::RemoteInputMachineMade,
            Finding::NetworkClaim => Self::NetworkClaimMismatch,
            Finding::NetworkAnonymized => Self::NetworkAnonymized,
            Finding::NetworkGap => Self::NetworkRelayGap,
            Finding::NetworkTravel => Self::NetworkImplausibleTravel,
            Finding::NetworkRoundTrip => Self::NetworkRoundTripImplausible,
            Finding::NetworkFamiliarity => Self::NetworkUnfamiliar,
            Finding::NetworkBound => Self::NetworkBoundBroken,
            Finding::CrowdSite => Self::CrowdSharedSite,
            Finding::CrowdAuthenticator => Self::CrowdSharedAuthenticator,
            Finding::CrowdRelay => Self::CrowdCommonRelay,
            Finding::CrowdTypist => Self::CrowdSharedTypist,
            Finding::TelemetryReplay => Self::TelemetryReplayed,
            Finding::TelemetrySilent => Self::TelemetrySilent,
        }
    }

    /// The code of a wire number, or `None` when this release does not know it.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| *code as i32 == number)
    }

    /// The family of the code's block.
    pub fn family(self) -> Family {
        Family::ALL[usize::from(self as u16 / 100 - 1)]
    }
}

/// One measurement beside what was expected of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Feature name in the schema.
    #[serde(with = "kept_name")]
    pub feature: Cow<'static, str>,
    /// Measured value.
    pub value: f64,
    /// 5th percentile of what was expected.
    pub expected_low: Option<f64>,
    /// 95th percentile.
    pub expected_high: Option<f64>,
    /// What the expectation is drawn from; absent without one.
    pub baseline: Option<Baseline>,
}

/// One finding and its weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// What was found.
    pub code: ReasonCode,
    /// Share of the log-odds, nats; positive raises risk.
    pub contribution_log_odds: f64,
    /// The measurements behind it, at most [`EVIDENCE_MAX`].
    pub evidence: Vec<Evidence>,
}

/// Names in kept verdicts: their code, and the name itself only where no release knows it by code.
mod kept_name {
    use super::{Cow, name_code, name_of_code};
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(name: &str, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return name.serialize(serializer);
        }
        let code = name_code(name);
        let known = name_of_code(code) == Some(name);
        if known { (code, None::<&str>) } else { (0, Some(name)) }.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'static, str>, D::Error> {
        if deserializer.is_human_readable() {
            return String::deserialize(deserializer).map(Cow::Owned);
        }
        match <(u32, Option<String>)>::deserialize(deserializer)? {
            (_, Some(name)) => Ok(Cow::Owned(name)),
            (code, None) => name_of_code(code)
                .map(Cow::Borrowed)
                .ok_or_else(|| D::Error::custom(format!("no feature has the code {code:#x}"))),
        }
    }
}

fn measured(features: &Features, feature: FeatureId) -> Option<Evidence> {
    let value = features.get(feature)?;
    let expected = features.expectation(feature);
    Some(Evidence {
        feature: feature.name().into(),
        value,
        expected_low: expected.and_then(|range| range.low),
        expected_high: expected.and_then(|range| range.high),
        baseline: expected.map(|range| range.baseline),
    })
}

/// The reasons of one session and the residual: what too many or too small contributions add up to.
pub fn of_session(weighed: &Weighed, features: &Features, handed_over: &[(Finding, HandChange)]) -> (Vec<Reason>, f64) {
    let reasons = weighed.contributions.iter().map(|contribution| {
        let finding = contribution.finding;
        let behind = finding.evidence();
        let mut evidence: Vec<Evidence> = Vec::with_capacity(behind.len() + 1);
        evidence.extend(behind.iter().filter_map(|feature| measured(features, *feature)));
        evidence.truncate(EVIDENCE_MAX - 1);
        // The family's own score closes the list, so that weight and cap can be checked by hand.
        evidence.extend(measured(features, finding.score()));
        // The same measurement, told for what it shows: another hand than before, not than ever.
        let change = handed_over.iter().rev().find(|(changed, _)| *changed == finding && contribution.log_odds > 0.0);
        let code = match change {
            Some((_, HandChange::HandedOver)) => ReasonCode::TypingHandover,
            Some((_, HandChange::Shared)) => ReasonCode::TypingSharedAccount,
            None => ReasonCode::of(finding),
        };
        Reason { code, contribution_log_odds: contribution.log_odds, evidence }
    });
    listed(reasons.collect())
}

/// Merges equal codes, the stronger one's evidence first, orders by absolute contribution, and moves what is too small or
/// too much into the residual.
pub fn listed(mut reasons: Vec<Reason>) -> (Vec<Reason>, f64) {
    let sizes = |a: &Reason, b: &Reason| b.contribution_log_odds.abs().total_cmp(&a.contribution_log_odds.abs());
    reasons.sort_by(|a, b| a.code.cmp(&b.code).then(sizes(a, b)));
    reasons.dedup_by(|next, kept| {
        let same = next.code == kept.code;
        if same {
            kept.contribution_log_odds += next.contribution_log_odds;
            let room = EVIDENCE_MAX - kept.evidence.len();
            kept.evidence.extend(next.evidence.drain(..).take(room));
        }
        same
    });
    reasons.sort_by(|a, b| sizes(a, b).then(a.code.cmp(&b.code)));
    let large = reasons.iter().take_while(|reason| reason.contribution_log_odds.abs() >= CONTRIBUTION_LISTED_MIN);
    let kept = large.count().min(REASONS_MAX);
    let residual = reasons.drain(kept..).fold(0.0, |sum, reason| sum + reason.contribution_log_odds);
    (reasons, residual)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(code: ReasonCode, contribution_log_odds: f64) -> Reason {
        Reason { code, contribution_log_odds, evidence: vec![] }
    }

    #[test]
    fn every_finding_is_told_as_a_reason_of_its_own_family() {
        for finding in Finding::ALL {
            assert_eq!(ReasonCode::of(*finding).family(), finding.family(), "{}", finding.name());
        }
    }

    #[test]
    fn a_kept_name_is_five_bytes_and_one_nobody_knows_is_itself() {
        let evidence = |feature: &'static str| Evidence {
            feature: feature.into(),
            value: 1.0,
            expected_low: None,
            expected_high: None,
            baseline: None,
        };
        for (name, most) in [(FeatureId::NetworkRttGapMicros.name(), 6), ("of.another_release", 21)] {
            let bytes = postcard::to_stdvec(&evidence(name)).unwrap();
            // Value in eight bytes, three absent options in one each.
            assert!(bytes.len() - 11 <= most, "{name} takes {} bytes", bytes.len() - 11);
            assert_eq!(postcard::from_bytes::<Evidence>(&bytes).unwrap(), evidence(name));
        }
        let json = serde_json::to_value(evidence("network.rtt_gap_micros")).unwrap();
        assert_eq!(json["feature"], "network.rtt_gap_micros");
        let unknown = postcard::to_stdvec(&((1_u32, None::<&str>), 1.0, None::<f64>, None::<f64>, None::<u8>)).unwrap();
        assert!(postcard::from_bytes::<Evidence>(&unknown).is_err());
    }

    #[test]
    fn equal_codes_merge_and_small_ones_become_residual() {
        let (reasons, residual) = listed(vec![
            reason(ReasonCode::TypingDifferentTypist, 1.0),
            reason(ReasonCode::NetworkAnonymized, 0.004),
            reason(ReasonCode::TypingDifferentTypist, -3.0),
            reason(ReasonCode::NetworkUnfamiliar, 0.5),
        ]);
        assert_eq!(reasons.len(), 2);
        assert_eq!((reasons[0].code, reasons[0].contribution_log_odds), (ReasonCode::TypingDifferentTypist, -2.0));
        assert!((residual - 0.004).abs() < 1e-15);
    }

    #[test]
    fn at_most_sixteen_reasons_are_listed_and_nothing_is_lost() {
        let all: Vec<Reason> =
            ReasonCode::ALL.iter().enumerate().map(|(index, code)| reason(*code, index as f64 + 1.0)).collect();
        let total: f64 = all.iter().map(|reason| reason.contribution_log_odds).sum();
        let (reasons, residual) = listed(all);
        assert_eq!(reasons.len(), REASONS_MAX);
        let kept: f64 = reasons.iter().map(|reason| reason.contribution_log_odds).sum();
        assert!((kept + residual - total).abs() < 1e-9);
    }
}
