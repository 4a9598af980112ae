//! Domain to wire: verdicts, standings, profiles and models as callers read them.

use super::convert::{time_to_wire, timestamp_to_wire};
use super::wire;
use crate::event::{EventTime, TimestampUnchecked};
use crate::history::WorkerRecord;
use crate::model::Model;
use crate::risk::catalogue::{Catalogue, Description};
use crate::risk::{
    AddressDatabase, Evidence, FamilyAssessment, Maturity, ModelReference, Reach, Reason, ReasonCode, StandingDay,
    Verdict, Whereabouts, WorkerStanding,
};

fn instant(micros: i64) -> wire::Timestamp {
    time_to_wire(EventTime(micros))
}

/// A verdict. `replayed` says that it was given before.
pub fn verdict(verdict: &Verdict, replayed: bool) -> wire::Verdict {
    wire::Verdict {
        event_id: verdict.event_id.clone(),
        risk_probability: verdict.risk_probability,
        risk_score: verdict.risk_score,
        risk_level: verdict.risk_level as i32,
        advice: verdict.advice as i32,
        risk_log_odds: verdict.risk_log_odds,
        base_log_odds: verdict.base_log_odds,
        residual_log_odds: verdict.residual_log_odds,
        reasons: verdict.reasons.iter().map(reason).collect(),
        families: verdict.families.iter().map(family).collect(),
        profile_maturity: Some(maturity(&verdict.maturity)),
        model: Some(model_reference(&verdict.model)),
        assess_time: Some(instant(verdict.assess_micros)),
        replayed,
        provisional: false,
        standing: Some(standing(&verdict.standing, &verdict.worker_id)),
        whereabouts: Some(whereabouts(&verdict.whereabouts)),
        address_databases: verdict.address_databases.iter().map(address_database).collect(),
        reach: (!verdict.reach.silent()).then(|| reach(&verdict.reach)),
    }
}

/// A worker's standing.
pub fn standing(standing: &WorkerStanding, worker_id: &str) -> wire::WorkerStanding {
    wire::WorkerStanding {
        evidence_log_odds: standing.evidence_log_odds,
        flagged: standing.flagged,
        flag_time: standing.flag_micros.map(instant),
        false_flag_budget: standing.false_flag_budget,
        families: standing.families.iter().map(family).collect(),
        session_count: standing.session_count,
        day_count: standing.day_count,
        reasons: standing.reasons.iter().map(reason).collect(),
        residual_log_odds: standing.residual_log_odds,
        worker_id: worker_id.into(),
        threshold_log_odds: standing.threshold_log_odds,
        cleared_reasons: standing.cleared_reasons.iter().map(|code| i32::from(*code as u16)).collect(),
    }
}

fn address_database(database: &AddressDatabase) -> wire::AddressDatabase {
    wire::AddressDatabase {
        database_type: database.database_type.clone(),
        build_time: Some(instant(database.build_seconds.saturating_mul(1_000_000))),
    }
}

fn standing_day(one: &StandingDay) -> wire::StandingDay {
    let reaction = one.reaction.as_ref();
    wire::StandingDay {
        day_time: Some(instant(i64::from(one.day) * 86_400_000_000)),
        evidence_log_odds: one.stood.evidence_log_odds,
        flagged: one.stood.flagged,
        top_reason: one.stood.top.map_or(0, |code| i32::from(code as u16)),
        reaction_median_micros: reaction.map(|reaction| reaction.median_micros),
        reaction_expected_low_micros: reaction.map(|reaction| reaction.expected_micros.0),
        reaction_expected_high_micros: reaction.map(|reaction| reaction.expected_micros.1),
    }
}

fn whereabouts(bounds: &Whereabouts) -> wire::Whereabouts {
    let belief = |(utc_offset_minutes, probability): &(i32, f64)| wire::OffsetBelief {
        utc_offset_minutes: *utc_offset_minutes,
        probability: *probability,
    };
    wire::Whereabouts {
        utc_offsets: bounds.utc_offsets.iter().map(belief).collect(),
        client_distance_max_km: bounds.client_distance_max_km,
        loop_rtt_low_micros: bounds.loop_rtt_micros.map(|(low, _)| low),
        loop_rtt_high_micros: bounds.loop_rtt_micros.map(|(_, high)| high),
    }
}

fn reach(reach: &Reach) -> wire::Reach {
    wire::Reach {
        remote_control: reach.remote_control as i32,
        remote_control_log_odds: reach.remote_control_log_odds.map(f64::from),
        distance: reach.distance as i32,
        distance_log_odds: reach.distance_log_odds.map(f64::from),
        remote_access_sanctioned: reach.declared.remote_access_sanctioned,
        assistive_technology: reach.declared.assistive_technology,
    }
}

fn reason(reason: &Reason) -> wire::Reason {
    wire::Reason {
        code: i32::from(reason.code as u16),
        family: reason.code.family() as i32,
        contribution_log_odds: reason.contribution_log_odds,
        evidence: reason.evidence.iter().map(evidence).collect(),
    }
}

fn evidence(evidence: &Evidence) -> wire::Evidence {
    wire::Evidence {
        feature: evidence.feature.to_string(),
        value: evidence.value,
        expected_low: evidence.expected_low,
        expected_high: evidence.expected_high,
        baseline: evidence.baseline.map_or(0, |baseline| baseline as i32),
    }
}

fn family(assessment: &FamilyAssessment) -> wire::FamilyAssessment {
    wire::FamilyAssessment {
        family: i32::from(assessment.family),
        status: assessment.status as i32,
        sample_count: assessment.sample_count,
        contribution_log_odds: assessment.contribution_log_odds,
        log_likelihood_ratio: assessment.log_likelihood_ratio,
    }
}

fn maturity(maturity: &Maturity) -> wire::ProfileMaturity {
    wire::ProfileMaturity {
        session_count: maturity.session_count,
        press_count: maturity.press_count,
        first_seen_time: maturity.first_seen_micros.map(instant),
    }
}

fn model_reference(reference: &ModelReference) -> wire::ModelReference {
    wire::ModelReference {
        model_id: reference.model_id.clone(),
        model_sha256: reference.model_sha256.to_vec(),
        feature_schema_version: reference.feature_schema_version,
        service_version: reference.service_version.clone(),
    }
}

/// A loaded model as its card describes it.
pub fn model(model: &Model, default_model: bool) -> wire::Model {
    let seconds = |seconds: i64| timestamp_to_wire(TimestampUnchecked { seconds, nanos: 0 });
    let point = |point: &crate::model::OperatingPoint| wire::OperatingPoint {
        threshold: point.threshold,
        false_positive_rate: point.false_positive_rate,
        true_positive_rate: point.true_positive_rate,
        false_positive_rate_upper: point.false_positive_rate_upper,
        true_positive_rate_lower: point.true_positive_rate_lower,
    };
    wire::Model {
        reference: Some(model_reference(&ModelReference::of(model))),
        train_time: Some(seconds(model.file.train_time_seconds)),
        data_end_time: Some(seconds(model.file.data_end_time_seconds)),
        operating_points: model.file.operating_points.iter().map(point).collect(),
        default_model,
    }
}

/// What a profile page says besides the record itself.
#[derive(Debug, Clone, Default)]
pub struct ProfileExtras {
    /// When the worker is forgotten if no session arrives, microseconds since 1970.
    pub expire_micros: i64,
    /// The worker's standing now.
    pub standing: WorkerStanding,
    /// Tokens held, by wire number of their kind.
    pub tokens: Vec<(u8, u32)>,
    /// Verdicts kept.
    pub verdict_count: u32,
}

/// Everything remembered of a worker, in readable form.
pub fn profile(worker_id: &str, record: &WorkerRecord, extras: &ProfileExtras) -> wire::Profile {
    let profiles = &record.profiles;
    let lines = [
        profiles.timezone.summaries(),
        profiles.typing.summaries(),
        profiles.remote_input.summaries(),
        profiles.network.summaries(),
        profiles.crowd.summaries(),
        profiles.telemetry.summaries(),
    ];
    let feature = |(name, effective_count, median, spread): (&str, f64, f64, f64)| wire::FeatureSummary {
        feature: name.into(),
        effective_count,
        median,
        spread,
    };
    let token = |(kind, count): &(u8, u32)| wire::TokenCount { kind: i32::from(*kind), count: *count };
    let activity = profiles.activity_by_hour();
    let active = activity.iter().any(|share| *share > 0.0);
    wire::Profile {
        worker_id: worker_id.into(),
        maturity: Some(maturity(&record.maturity)),
        last_seen_time: Some(time_to_wire(record.last_seen)),
        expire_time: Some(instant(extras.expire_micros)),
        features: lines.into_iter().flatten().map(feature).collect(),
        standing: Some(standing(&extras.standing, worker_id)),
        activity_by_hour: if active { activity.to_vec() } else { Vec::new() },
        tokens: extras.tokens.iter().map(token).collect(),
        verdict_count: extras.verdict_count,
        standing_days: record.days.told().iter().map(standing_day).collect(),
    }
}

/// What one reason code means.
pub fn reason_description(entry: &Description, catalogue: &Catalogue) -> wire::ReasonDescription {
    let code = i32::from(entry.code);
    wire::ReasonDescription {
        code,
        family: ReasonCode::from_number(code).map_or(0, |code| code.family() as i32),
        headline: entry.headline.clone(),
        sentence: entry.sentence.clone(),
        reassurance: entry.reassurance.clone(),
        benign_explanations: entry.benign_explanations.clone(),
        refutations: entry.refutations.clone(),
        attack_technique_ids: entry.attack_technique_ids.clone(),
        attack_version: catalogue.attack_version.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_contract_is_described_under_its_name() {
        let catalogue = Catalogue::shipped().expect("a sound catalogue");
        let known = (1..1_000).filter_map(|number| wire::ReasonCode::try_from(number).ok());
        let names: Vec<String> = known.map(|code| code.as_str_name().to_string()).collect();
        let described: Vec<String> =
            catalogue.reasons.iter().map(|entry| format!("REASON_CODE_{}", entry.name)).collect();
        assert_eq!(described, names);
        for entry in &catalogue.reasons {
            let told = reason_description(entry, catalogue);
            assert_eq!(told.code().as_str_name(), format!("REASON_CODE_{}", entry.name));
            assert!(told.family() != wire::SignalFamily::Unspecified);
        }
    }
}
