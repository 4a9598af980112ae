//! The only list of features and findings, and the schema version that model and service must agree on.
//!
//! A **feature** is one measurement with a name (`family.quantity_statistic_unit`). A **finding** is what a family
//! concludes from features: a calibrated log-likelihood ratio in nats, which the model weighs and caps and the verdict
//! shows as a reason.
//!
//! Worked example: ten late answers to prompts become `remote_input.reaction_median_micros` = 412 000 (expected
//! 190 000 to 330 000) and the finding `remote_input.loop` with `remote_input.loop_log_odds` = 3.1.

/// Version of this list. A changed meaning is a new name and a new version; serving refuses models of another.
pub const FEATURE_SCHEMA_VERSION: u32 = 1;

/// A family of signals; one room of `evidence` each. Numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Family {
    /// Clock, offset and working hours.
    Timezone = 1,
    /// Typing rhythm.
    Typing = 2,
    /// Input path and latency.
    RemoteInput = 3,
    /// Network path and geography.
    Network = 4,
    /// Likeness to other workers.
    Crowd = 5,
    /// Whether the samples themselves can be trusted.
    Telemetry = 6,
}

impl Family {
    /// How many families there are.
    pub const COUNT: usize = 6;
    /// All families in the order of the wire.
    pub const ALL: [Family; Self::COUNT] =
        [Self::Timezone, Self::Typing, Self::RemoteInput, Self::Network, Self::Crowd, Self::Telemetry];

    /// Position in [`Family::ALL`].
    pub fn index(self) -> usize {
        self as usize - 1
    }

    /// Name as feature names begin with it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Timezone => "timezone",
            Self::Typing => "typing",
            Self::RemoteInput => "remote_input",
            Self::Network => "network",
            Self::Crowd => "crowd",
            Self::Telemetry => "telemetry",
        }
    }
}

macro_rules! features {
    ($($variant:ident = $name:literal,)*) => {
        /// One measurement.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        #[expect(missing_docs, reason = "the name says what, in which family and unit")]
        pub enum FeatureId { $($variant,)* }

        impl FeatureId {
            /// Every feature, in schema order.
            pub const ALL: &'static [FeatureId] = &[$(FeatureId::$variant,)*];
            /// How many features there are.
            pub const COUNT: usize = Self::ALL.len();
            /// Stable name, `family.quantity_statistic_unit`.
            pub fn name(self) -> &'static str {
                match self { $(FeatureId::$variant => $name,)* }
            }
        }
    };
}

features! {
    // timezone
    TimezoneClockLogOdds = "timezone.clock_log_odds",
    TimezoneOffsetClaimDifferenceMinutes = "timezone.offset_claim_difference_minutes",
    TimezoneOffsetZoneDifferenceMinutes = "timezone.offset_zone_difference_minutes",
    TimezoneNetworkLogOdds = "timezone.network_log_odds",
    TimezoneOffsetNetworkDifferenceMinutes = "timezone.offset_network_difference_minutes",
    TimezoneRhythmLogOdds = "timezone.rhythm_log_odds",
    TimezoneRhythmOffsetMinutes = "timezone.rhythm_offset_minutes",
    TimezoneRhythmSessionCount = "timezone.rhythm_session_count",
    TimezoneClaimOffsetProbability = "timezone.claim_offset_probability",
    // typing
    TypingPhraseLogOdds = "typing.phrase_log_odds",
    TypingPhraseDistance = "typing.phrase_distance_ratio",
    TypingPhraseEnrolledCount = "typing.phrase_enrolled_count",
    TypingPhraseBackgroundCount = "typing.phrase_background_count",
    TypingTableLogOdds = "typing.table_log_odds",
    TypingTableEnrolledPresses = "typing.table_enrolled_press_count",
    TypingTableFeatureCount = "typing.table_feature_count",
    TypingSyntheticLogOdds = "typing.synthetic_log_odds",
    TypingMachineLikenessLogOdds = "typing.machine_likeness_log_odds",
    TypingDelayLikenessLogOdds = "typing.delay_likeness_log_odds",
    TypingDwellMedianMicros = "typing.dwell_median_micros",
    TypingDwellSpreadMicros = "typing.dwell_spread_micros",
    TypingPressIntervalMedianMicros = "typing.press_interval_median_micros",
    TypingPressIntervalSpreadMicros = "typing.press_interval_spread_micros",
    TypingRolloverRate = "typing.rollover_rate",
    // remote_input
    RemoteInputPointerLogOdds = "remote_input.pointer_log_odds",
    RemoteInputPointerGapP05Micros = "remote_input.pointer_gap_p05_micros",
    RemoteInputPointerGapMedianMicros = "remote_input.pointer_gap_median_micros",
    RemoteInputPointerGapP95Micros = "remote_input.pointer_gap_p95_micros",
    RemoteInputPointerBurstRate = "remote_input.pointer_burst_rate",
    RemoteInputPointerStepP95 = "remote_input.pointer_step_p95_pixels",
    RemoteInputPointerMoveCount = "remote_input.pointer_move_count",
    RemoteInputKeyLogOdds = "remote_input.key_log_odds",
    RemoteInputDwellP10Micros = "remote_input.dwell_p10_micros",
    RemoteInputDwellP90Micros = "remote_input.dwell_p90_micros",
    RemoteInputDwellShortRate = "remote_input.dwell_short_rate",
    RemoteInputPressBurstRate = "remote_input.press_burst_rate",
    RemoteInputCombStrength = "remote_input.comb_strength_ratio",
    RemoteInputLoopLogOdds = "remote_input.loop_log_odds",
    RemoteInputReactionMedianMicros = "remote_input.reaction_median_micros",
    RemoteInputReactionP10Micros = "remote_input.reaction_p10_micros",
    RemoteInputReactionCount = "remote_input.reaction_count",
    RemoteInputNaturalLoopMedianMicros = "remote_input.natural_loop_median_micros",
    RemoteInputCorrectionMedianMicros = "remote_input.correction_median_micros",
    RemoteInputDelayLogOdds = "remote_input.delay_log_odds",
    RemoteInputEventDelaySpreadMicros = "remote_input.event_delay_spread_micros",
    RemoteInputDeviceLogOdds = "remote_input.device_log_odds",
    RemoteInputKvmIdentityCount = "remote_input.kvm_identity_count",
    RemoteInputKvmStructureCount = "remote_input.kvm_structure_count",
    RemoteInputDisplayCount = "remote_input.display_count",
    RemoteInputSoftwareLogOdds = "remote_input.software_log_odds",
    RemoteInputRemoteProgramCount = "remote_input.remote_program_count",
    RemoteInputInjectedRate = "remote_input.injected_rate",
    RemoteInputRemoteSessionReported = "remote_input.remote_session_reported_count",
    RemoteInputMachineLogOdds = "remote_input.machine_log_odds",
    RemoteInputMachineRegularityRate = "remote_input.machine_regularity_rate",
    // network
    NetworkClaimLogOdds = "network.claim_log_odds",
    NetworkClaimDistanceKm = "network.claim_distance_km",
    NetworkAnonymizedLogOdds = "network.anonymized_log_odds",
    NetworkAnonymizerCount = "network.anonymizer_count",
    NetworkGapLogOdds = "network.gap_log_odds",
    NetworkRttGapMicros = "network.rtt_gap_micros",
    NetworkTravelLogOdds = "network.travel_log_odds",
    NetworkTravelDistanceKm = "network.travel_distance_km",
    NetworkTravelSpeedKmPerHour = "network.travel_speed_km_per_hour",
    NetworkRoundTripLogOdds = "network.round_trip_log_odds",
    NetworkRttMinMicros = "network.rtt_min_micros",
    NetworkRttExcessMicros = "network.rtt_excess_micros",
    NetworkFamiliarityLogOdds = "network.familiarity_log_odds",
    NetworkAddressSeenCount = "network.address_seen_count",
    NetworkSystemSeenCount = "network.autonomous_system_seen_count",
    NetworkRegionSeenCount = "network.region_seen_count",
    NetworkClientSeenCount = "network.client_seen_count",
    // crowd
    CrowdSiteLogOdds = "crowd.site_log_odds",
    CrowdSiteWorkerCount = "crowd.site_worker_count",
    CrowdClaimDisagreementCount = "crowd.claim_disagreement_count",
    CrowdAuthenticatorLogOdds = "crowd.authenticator_log_odds",
    CrowdAuthenticatorWorkerCount = "crowd.authenticator_worker_count",
    CrowdRelayLogOdds = "crowd.relay_log_odds",
    CrowdCommonStallCount = "crowd.common_stall_count",
    // telemetry
    TelemetryReplayLogOdds = "telemetry.replay_log_odds",
    TelemetryRepeatedSampleCount = "telemetry.repeated_sample_count",
    TelemetrySilentLogOdds = "telemetry.silent_log_odds",
    TelemetrySilentEventCount = "telemetry.silent_event_count",
    // Later additions stand at the end, so that kept numbers keep their meaning.
    TypingOrderedLogOdds = "typing.ordered_log_odds",
    TypingOrderedPressCount = "typing.ordered_press_count",
    TypingOrderedEnrolledPresses = "typing.ordered_enrolled_press_count",
    TypingHandoverLogOdds = "typing.handover_log_odds",
    TypingAlternationCount = "typing.alternation_count",
    CrowdTypistLogOdds = "crowd.typist_log_odds",
    CrowdTypistWorkerCount = "crowd.typist_worker_count",
    CrowdTypistRatio = "crowd.typist_likelihood_log_ratio",
    NetworkBoundLogOdds = "network.bound_log_odds",
    NetworkBoundBeyondKm = "network.bound_beyond_km",
    NetworkBoundBreachCount = "network.bound_breach_count",
    TimezoneCalendarLogOdds = "timezone.calendar_log_odds",
    TimezoneCalendarWorkedCount = "timezone.calendar_worked_count",
    TimezoneCalendarFreeCount = "timezone.calendar_free_count",
    TimezoneCalendarElsewhereRestedCount = "timezone.calendar_elsewhere_rested_count",
    TimezoneCalendarElsewhereFreeCount = "timezone.calendar_elsewhere_free_count",
    TimezoneCalendarClocksLogOdds = "timezone.calendar_clocks_log_odds",
    TimezoneChangeLogOdds = "timezone.change_log_odds",
    TimezoneChangeMinutes = "timezone.change_shift_minutes",
    TimezoneChangeSessionCount = "timezone.change_session_count",
    TypingPhraseRecentLogOdds = "typing.phrase_recent_log_odds",
    TypingPhraseAnchorLogOdds = "typing.phrase_anchor_log_odds",
    TelemetryNearestSampleRate = "telemetry.nearest_sample_rate",
    RemoteInputHabitsLogOdds = "remote_input.habits_log_odds",
}

impl FeatureId {
    /// The feature of a name, or `None` when the schema has no such feature.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|feature| feature.name() == name)
    }
}

macro_rules! findings {
    ($($variant:ident = $name:literal, $family:ident, $score:ident, [$($evidence:ident),*];)*) => {
        /// What a family concludes from features.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "the name says what; each family's `compare` documents its findings")]
        pub enum Finding { $($variant,)* }

        impl Finding {
            /// Every finding, in schema order.
            pub const ALL: &'static [Finding] = &[$(Finding::$variant,)*];
            /// How many findings there are.
            pub const COUNT: usize = Self::ALL.len();
            /// Stable name, `family.finding`.
            pub fn name(self) -> &'static str { match self { $(Finding::$variant => $name,)* } }
            /// The family that concludes it.
            pub fn family(self) -> Family { match self { $(Finding::$variant => Family::$family,)* } }
            /// The feature holding its score: calibrated log-likelihood ratio in nats, positive = not as claimed.
            pub fn score(self) -> FeatureId { match self { $(Finding::$variant => FeatureId::$score,)* } }
            /// The measurements shown beside it, most telling first, at most 8.
            pub fn evidence(self) -> &'static [FeatureId] { match self { $(Finding::$variant => &[$(FeatureId::$evidence),*],)* } }
        }
    };
}

findings! {
    TimezoneClock = "timezone.clock", Timezone, TimezoneClockLogOdds, [TimezoneOffsetClaimDifferenceMinutes, TimezoneOffsetZoneDifferenceMinutes];
    TimezoneRhythm = "timezone.rhythm", Timezone, TimezoneRhythmLogOdds, [TimezoneRhythmOffsetMinutes, TimezoneClaimOffsetProbability, TimezoneRhythmSessionCount];
    TimezoneNetwork = "timezone.network", Timezone, TimezoneNetworkLogOdds, [TimezoneOffsetNetworkDifferenceMinutes];
    TypingPhrase = "typing.phrase", Typing, TypingPhraseLogOdds, [TypingPhraseDistance, TypingPhraseEnrolledCount, TypingPhraseBackgroundCount, TypingPhraseRecentLogOdds, TypingPhraseAnchorLogOdds, TypingPressIntervalMedianMicros, TypingDwellMedianMicros];
    TypingTable = "typing.table", Typing, TypingTableLogOdds, [TypingTableFeatureCount, TypingTableEnrolledPresses, TypingHandoverLogOdds, TypingAlternationCount];
    TypingSynthetic = "typing.synthetic", Typing, TypingSyntheticLogOdds, [TypingMachineLikenessLogOdds, TypingPressIntervalSpreadMicros, TypingDwellSpreadMicros, TypingRolloverRate];
    RemoteInputPointer = "remote_input.pointer", RemoteInput, RemoteInputPointerLogOdds, [RemoteInputPointerGapMedianMicros, RemoteInputPointerGapP05Micros, RemoteInputPointerGapP95Micros, RemoteInputPointerBurstRate, RemoteInputPointerStepP95, RemoteInputPointerMoveCount];
    RemoteInputKey = "remote_input.key", RemoteInput, RemoteInputKeyLogOdds, [RemoteInputCombStrength, RemoteInputDwellP10Micros, RemoteInputDwellP90Micros, RemoteInputDwellShortRate, RemoteInputPressBurstRate];
    RemoteInputLoop = "remote_input.loop", RemoteInput, RemoteInputLoopLogOdds, [RemoteInputReactionMedianMicros, RemoteInputReactionP10Micros, RemoteInputReactionCount];
    RemoteInputDelay = "remote_input.delay", RemoteInput, RemoteInputDelayLogOdds, [RemoteInputEventDelaySpreadMicros];
    RemoteInputDevice = "remote_input.device", RemoteInput, RemoteInputDeviceLogOdds, [RemoteInputKvmIdentityCount, RemoteInputKvmStructureCount, RemoteInputDisplayCount];
    RemoteInputSoftware = "remote_input.software", RemoteInput, RemoteInputSoftwareLogOdds, [RemoteInputRemoteProgramCount, RemoteInputInjectedRate, RemoteInputRemoteSessionReported];
    RemoteInputMachine = "remote_input.machine", RemoteInput, RemoteInputMachineLogOdds, [RemoteInputMachineRegularityRate];
    NetworkClaim = "network.claim", Network, NetworkClaimLogOdds, [NetworkClaimDistanceKm];
    NetworkAnonymized = "network.anonymized", Network, NetworkAnonymizedLogOdds, [NetworkAnonymizerCount];
    NetworkGap = "network.gap", Network, NetworkGapLogOdds, [NetworkRttGapMicros];
    NetworkTravel = "network.travel", Network, NetworkTravelLogOdds, [NetworkTravelSpeedKmPerHour, NetworkTravelDistanceKm];
    NetworkRoundTrip = "network.round_trip", Network, NetworkRoundTripLogOdds, [NetworkRttMinMicros, NetworkRttExcessMicros];
    NetworkFamiliarity = "network.familiarity", Network, NetworkFamiliarityLogOdds, [NetworkAddressSeenCount, NetworkSystemSeenCount, NetworkRegionSeenCount, NetworkClientSeenCount];
    CrowdSite = "crowd.site", Crowd, CrowdSiteLogOdds, [CrowdSiteWorkerCount, CrowdClaimDisagreementCount];
    CrowdAuthenticator = "crowd.authenticator", Crowd, CrowdAuthenticatorLogOdds, [CrowdAuthenticatorWorkerCount];
    CrowdRelay = "crowd.relay", Crowd, CrowdRelayLogOdds, [CrowdCommonStallCount];
    TelemetryReplay = "telemetry.replay", Telemetry, TelemetryReplayLogOdds, [TelemetryRepeatedSampleCount, TelemetryNearestSampleRate];
    TelemetrySilent = "telemetry.silent", Telemetry, TelemetrySilentLogOdds, [TelemetrySilentEventCount];
    TypingOrdered = "typing.ordered", Typing, TypingOrderedLogOdds, [TypingOrderedPressCount, TypingOrderedEnrolledPresses, TypingHandoverLogOdds, TypingAlternationCount, TypingPressIntervalMedianMicros, TypingDwellMedianMicros];
    CrowdTypist = "crowd.typist", Crowd, CrowdTypistLogOdds, [CrowdTypistRatio, CrowdTypistWorkerCount];
    NetworkBound = "network.bound", Network, NetworkBoundLogOdds, [NetworkBoundBeyondKm, NetworkBoundBreachCount];
    TimezoneCalendar = "timezone.calendar", Timezone, TimezoneCalendarLogOdds, [TimezoneCalendarWorkedCount, TimezoneCalendarFreeCount, TimezoneCalendarElsewhereRestedCount, TimezoneCalendarElsewhereFreeCount, TimezoneCalendarClocksLogOdds];
    TimezoneChange = "timezone.change", Timezone, TimezoneChangeLogOdds, [TimezoneChangeMinutes, TimezoneChangeSessionCount];
    RemoteInputHabits = "remote_input.habits", RemoteInput, RemoteInputHabitsLogOdds, [RemoteInputNaturalLoopMedianMicros, RemoteInputCorrectionMedianMicros];
}

impl Finding {
    /// Position in [`Finding::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The finding of a name, or `None` when the schema has no such finding.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|finding| finding.name() == name)
    }
}

/// How a change of hands within a session is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandChange {
    /// Another hand took over.
    HandedOver,
    /// Two hands take turns.
    Shared,
}

/// Names that older releases wrote down and this one no longer measures: kept verdicts tell them still.
const RETIRED: &[&str] = &[];

/// The number a name is written down as: FNV-1a over 32 bits. Three in four bytes of a kept verdict would otherwise be
/// names.
pub fn name_code(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The name written down as a number, by this release or an older one; `None` when no release knew it.
pub fn name_of_code(code: u32) -> Option<&'static str> {
    static BY_CODE: std::sync::LazyLock<Vec<(u32, &'static str)>> = std::sync::LazyLock::new(|| {
        let names = FeatureId::ALL.iter().map(|feature| feature.name()).chain(RETIRED.iter().copied());
        let mut named: Vec<_> = names.map(|name| (name_code(name), name)).collect();
        named.sort_unstable();
        named
    });
    let found = BY_CODE.binary_search_by_key(&code, |(code, _)| *code).ok()?;
    Some(BY_CODE[found].1)
}

/// What an expectation is drawn from. Numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum Baseline {
    /// The worker's own past.
    Worker = 1,
    /// Everyone in the training data.
    Population = 2,
    /// The worker's claim.
    Claim = 3,
    /// Physics: distance and the speed of light in fibre.
    Physical = 4,
}

/// What a measurement was expected to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expectation {
    /// 5th percentile, in the unit of the feature; `None` when unbounded below.
    pub low: Option<f64>,
    /// 95th percentile; `None` when unbounded above.
    pub high: Option<f64>,
    /// What it is drawn from.
    pub baseline: Baseline,
}

/// Measurements of one session, by feature. Absent is absent: never zero, never NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    values: [f64; FeatureId::COUNT],
    expected: Vec<Expectation>,
    /// By feature, where its expectation stands in `expected`, counted from 1; 0 where nothing is expected.
    expected_at: [u8; FeatureId::COUNT],
    present: u128,
}

// INVARIANT: one bit per feature.
const _: () = assert!(FeatureId::COUNT <= 128);

impl Default for Features {
    fn default() -> Self {
        Self {
            values: [0.0; FeatureId::COUNT],
            expected: Vec::with_capacity(32),
            expected_at: [0; FeatureId::COUNT],
            present: 0,
        }
    }
}

impl Features {
    /// Records a measurement. A later one replaces an earlier one.
    ///
    /// # Panics
    /// In debug builds when `value` is not finite: no NaN passes `event`, so none may arise here.
    pub fn set(&mut self, feature: FeatureId, value: f64) {
        debug_assert!(value.is_finite(), "{} is {value}", feature.name());
        if value.is_finite() {
            self.values[feature as usize] = value;
            self.present |= 1 << feature as u32;
        }
    }

    /// Records a measurement beside what was expected of it.
    pub fn set_beside(
        &mut self,
        feature: FeatureId,
        value: f64,
        low: Option<f64>,
        high: Option<f64>,
        baseline: Baseline,
    ) {
        self.set(feature, value);
        let expectation = Expectation { low, high, baseline };
        let at = &mut self.expected_at[feature as usize];
        match usize::from(*at).checked_sub(1).and_then(|at| self.expected.get_mut(at)) {
            Some(earlier) => *earlier = expectation,
            None => {
                self.expected.push(expectation);
                // INVARIANT: at most one entry per feature, and there are fewer than 256 features.
                *at = self.expected.len() as u8;
            }
        }
    }

    /// The measurement, or `None` when it was not taken.
    pub fn get(&self, feature: FeatureId) -> Option<f64> {
        (self.present & (1 << feature as u32) != 0).then(|| self.values[feature as usize])
    }

    /// What was expected of it, or `None` when nothing was.
    pub fn expectation(&self, feature: FeatureId) -> Option<Expectation> {
        self.expected.get(usize::from(self.expected_at[feature as usize]).checked_sub(1)?).copied()
    }

    /// All measurements taken, in schema order.
    pub fn taken(&self) -> impl Iterator<Item = (FeatureId, f64)> + '_ {
        FeatureId::ALL.iter().filter_map(|feature| self.get(*feature).map(|value| (*feature, value)))
    }
}

/// Whether a family took part. Numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum CoverageStatus {
    /// It took part in full.
    Used = 1,
    /// Nothing was collected.
    Absent = 2,
    /// Too few measurements to say anything.
    TooShort = 3,
    /// The clock was too coarse for the finest features; the rest took part.
    TooCoarse = 4,
    /// The worker's profile is too young to compare with; population baselines were used.
    NoHistory = 5,
    /// It does not apply.
    Abstained = 6,
    /// The profile store did not answer in time.
    StoreUnavailable = 7,
    /// A program made the sample, or a tool blurred it: whose hand it was cannot be told.
    Obscured = 8,
}

/// How far a family was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// Whether it took part, and if not, why.
    pub status: CoverageStatus,
    /// Measurements used.
    pub sample_count: u32,
}

impl Coverage {
    /// Nothing was collected.
    pub const ABSENT: Coverage = Coverage { status: CoverageStatus::Absent, sample_count: 0 };
}
