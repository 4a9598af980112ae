//! The numbers of the world, read from `training/world.toml`, which is part of the program and explains each.

use super::chance::Chance;
use super::scenario::Scenario;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The file as it was when the program was built.
const SHIPPED: &str = include_str!("../../world.toml");

/// How a quantity is spread between people, lines or days.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Spread {
    /// Uniform from the first to the second.
    Between([f64; 2]),
    /// Log-normal.
    LogNormal {
        /// Median.
        median: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        sd: f64,
    },
}

impl Spread {
    /// One value.
    pub fn draw(self, chance: &mut Chance) -> f64 {
        match self {
            Self::Between([low, high]) => chance.uniform(low, high),
            Self::LogNormal { median, sigma } => chance.lognormal(median, sigma),
            Self::Normal { mean, sd } => chance.normal(mean, sd),
        }
    }

    fn sound(self) -> bool {
        match self {
            Self::Between([low, high]) => low.is_finite() && low <= high,
            Self::LogNormal { median, sigma } => median > 0.0 && sigma >= 0.0,
            Self::Normal { mean, sd } => mean.is_finite() && sd >= 0.0,
        }
    }
}

/// Hands on keyboards; milliseconds, shares.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypistSpread {
    pub interval_median: Spread,
    pub interval_sigma: Spread,
    pub phrase_sigma: Spread,
    pub dwell: Spread,
    pub dwell_variation: Spread,
    pub erase: Spread,
}

/// Days of work.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Day {
    pub start_minutes: Spread,
    pub start_sd_minutes: Spread,
    pub hours: Spread,
    pub part_time_share: f64,
}

/// Lines and relays to operators abroad.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    pub kvm_video: Spread,
    pub software_video: Spread,
    pub detour: Spread,
    pub jitter: Spread,
    pub stall_hours: Spread,
}

/// What a company's collectors send.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomsSpread {
    pub without_vantage: f64,
    pub without_address_place: f64,
    pub without_connection_type: f64,
    pub without_anonymizer: f64,
    pub without_address_text: f64,
    pub without_active_span: f64,
    pub without_session_id: f64,
    pub without_collector: f64,
    pub without_hire_time: f64,
    pub without_declare_time: f64,
    pub without_shipping: f64,
    pub without_claim_zone: f64,
    pub without_claim_place: f64,
    pub without_natural_loops: f64,
    pub without_corrections: f64,
    pub without_key_repeats: f64,
    pub without_peripherals: f64,
    pub without_site: f64,
    pub without_user_agent: f64,
    pub tables: f64,
    pub asked: Spread,
    pub prompts: [u64; 2],
    pub pointer: Spread,
    pub typing: Spread,
    pub free_text: Spread,
    pub bare: Spread,
    pub round_trips: [u64; 2],
    pub gateway: f64,
}

/// What people do whatever story they live.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HabitSpread {
    pub slow_machine: f64,
    pub slow_machine_ms: Spread,
    pub uneven_keyboard: f64,
    pub uneven_keyboard_ms: Spread,
    pub second_desk: f64,
    pub second_desk_days: Spread,
    pub second_desk_pace: Spread,
    pub hotspot: f64,
    pub hotspot_days: Spread,
    pub misplaced_address: f64,
    pub misplaced_km: Spread,
    pub new_browser: f64,
    pub new_machine: f64,
    pub new_phone: f64,
    pub hired_within: f64,
    pub leave: f64,
    pub leave_days: [u64; 2],
    pub claim_without_place: f64,
    pub claim_bare: f64,
    pub unclaimed: f64,
    pub other_clock: f64,
    pub wrong_clock: f64,
    pub distracted: Spread,
}

/// What stories change.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stories {
    pub vdi_loop: Spread,
    pub vdi_jitter: Spread,
    pub rural_rtt: Spread,
    pub rural_jitter: Spread,
    pub home_lab_share: f64,
    pub home_lab_rtt: Spread,
    pub home_lab_video: Spread,
    pub paste_share: Spread,
    pub helped_sessions: [u64; 2],
    pub upset_size: Spread,
    pub upset_recovery_days: Spread,
    pub hidden_leg: Spread,
    pub foreign_slips: [u64; 2],
    pub local_days: [u64; 2],
    pub constant_delay: Spread,
    pub constant_jitter: Spread,
    pub pasted_line_share: Spread,
    pub pasted_cps: Spread,
    pub duty: Spread,
    pub agent_prompt_seconds: Spread,
    pub shift_operators: [u64; 2],
    pub shift_hours: Spread,
    pub proxy_weeks_days: Spread,
    pub renter_loop: Spread,
    pub ramp_per_day: f64,
    pub replay_days: [u64; 2],
}

/// All numbers of a world.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    pub version: u32,
    pub mix: BTreeMap<String, f64>,
    pub groups: BTreeMap<String, [u64; 2]>,
    pub typist: TypistSpread,
    pub example_typist: TypistSpread,
    pub day: Day,
    pub relay: Relay,
    pub customs: CustomsSpread,
    pub habits: HabitSpread,
    pub stories: Stories,
    pub reasons: BTreeMap<String, Vec<String>>,
}

impl Parameters {
    /// The parameters that are part of the program.
    ///
    /// # Errors
    /// Names what in the file cannot be used; a test reads it, so a released program never says so.
    pub fn shipped() -> Result<Arc<Self>, String> {
        let parameters: Self = toml::from_str(SHIPPED).map_err(|error| format!("world.toml: {error}"))?;
        parameters.check()?;
        Ok(Arc::new(parameters))
    }

    fn check(&self) -> Result<(), String> {
        for code in self.mix.keys().chain(self.groups.keys()).chain(self.reasons.keys()) {
            if !Scenario::ALL.iter().any(|scenario| scenario.code() == code) {
                return Err(format!("world.toml: {code} is no scenario"));
            }
        }
        let typist = |one: &TypistSpread| {
            [one.interval_median, one.interval_sigma, one.phrase_sigma, one.dwell, one.dwell_variation, one.erase]
        };
        let spreads = typist(&self.typist).into_iter().chain(typist(&self.example_typist)).chain([
            self.day.start_minutes,
            self.day.start_sd_minutes,
            self.day.hours,
            self.relay.kvm_video,
            self.relay.software_video,
            self.relay.detour,
            self.relay.jitter,
            self.relay.stall_hours,
        ]);
        let sound = spreads.into_iter().all(Spread::sound);
        if !sound {
            return Err("world.toml: a range of [typist], [day] or [relay] is empty or not a number".into());
        }
        Ok(())
    }

    /// Weight of a scenario in the benign mix; 0 for hostile ones.
    pub fn mix_weight(&self, scenario: Scenario) -> f64 {
        self.mix.get(scenario.code()).copied().unwrap_or(0.0)
    }

    /// How many workers live a story together (least, most).
    pub fn group_size(&self, scenario: Scenario) -> (u64, u64) {
        self.groups.get(scenario.code()).map_or((1, 1), |[least, most]| (*least, *most))
    }

    /// Whether a flag of `scenario` may name `reason` first.
    pub fn names(&self, scenario: Scenario, reason: &str) -> bool {
        self.reasons.get(scenario.code()).is_some_and(|reasons| reasons.iter().any(|one| one == reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use elsewhere::risk::ReasonCode;

    #[test]
    fn the_shipped_file_is_sound_and_names_every_scenario_and_real_reasons() {
        let parameters = Parameters::shipped().expect("world.toml is sound");
        let sum: f64 = parameters.mix.values().sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        for scenario in Scenario::ALL.iter().copied() {
            assert_eq!(parameters.mix_weight(scenario) > 0.0, !scenario.hostile(), "{}", scenario.code());
            assert_eq!(parameters.reasons.contains_key(scenario.code()), scenario.hostile(), "{}", scenario.code());
        }
        let known: Vec<String> = ReasonCode::ALL.iter().map(|code| format!("{code:?}")).collect();
        for reason in parameters.reasons.values().flatten() {
            assert!(known.contains(reason), "{reason}");
        }
    }

    #[test]
    fn a_wrong_code_is_named() {
        let text = SHIPPED.replace("B17 = 0.01", "B71 = 0.01");
        let parameters: Parameters = toml::from_str(&text).expect("still a file");
        assert!(parameters.check().is_err_and(|error| error.contains("B71")));
    }
}
