//! Messages to what the event room checks, and back. Total: nothing is refused here, numbers of enums pass as they are.
//!
//! Worked example: a `SessionEvent` whose `typing.key_classes` holds 99 becomes an `EventUnchecked` that holds 99, and
//! `EventUnchecked::check` names `event.typing.key_classes[i]`.

pub use super::content_hash::content_hash;
use super::wire;
use crate::event::{
    CadenceTableUnchecked, ChallengeUnchecked, ClaimUnchecked, CollectorReport, DeviceUnchecked, DigraphTime,
    DurationUnchecked, EventTime, EventUnchecked, FeedbackUnchecked, KeyTime, NetworkUnchecked, PlaceUnchecked,
    PointerUnchecked, RemoteInputUnchecked, Subject, TimestampUnchecked, TimezoneUnchecked, TypingUnchecked,
    Violations,
};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

/// Hash of an entry of feedback in canonical form: equal hashes mean equal entries.
pub fn feedback_hash(message: &wire::Feedback) -> [u8; 32] {
    Sha256::digest(message.encode_to_vec()).into()
}

/// The entry of a message.
pub fn feedback(message: wire::Feedback) -> FeedbackUnchecked {
    use wire::feedback::Subject as Told;
    FeedbackUnchecked {
        feedback_id: message.feedback_id,
        subject: message.subject.map(|subject| match subject {
            Told::EventId(id) => Subject::Event(id),
            Told::SessionId(id) => Subject::Session(id),
            Told::WorkerId(worker_id) => Subject::Worker { worker_id, start_time: None, end_time: None },
        }),
        label: message.label,
        source: message.source,
        start_time: message.start_time.map(timestamp),
        end_time: message.end_time.map(timestamp),
        review_time: message.review_time.map(timestamp),
        cleared_reasons: message.cleared_reasons,
    }
}

/// What an event may teach. `None`, with a violation of `profile_update`, when the number is not known.
pub fn profile_update(number: i32, v: &mut Violations) -> Option<wire::ProfileUpdate> {
    let update = wire::ProfileUpdate::try_from(number).ok();
    if update.is_none() {
        let choices = "send PROFILE_UPDATE_IF_TRUSTED, _ALWAYS or _NEVER, or leave it out";
        v.add("profile_update", format!("has the unknown value {number}: {choices}"));
    }
    update
}

/// The event of a message, column by column moved, not copied.
pub fn event(message: wire::SessionEvent) -> EventUnchecked {
    EventUnchecked {
        event_id: message.event_id,
        worker_id: message.worker_id,
        session_id: message.session_id,
        event_time: message.event_time.map(timestamp),
        activity: message.activity,
        claim: message.claim.map(claim),
        timezone: message.timezone.map(timezone),
        typing: message.typing.map(typing),
        remote_input: message.remote_input.map(remote_input),
        network: message.network.map(network),
        device: message.device.map(device),
        pointer: message.pointer.map(pointer),
        challenge: message.challenge.map(challenge),
        cadence: message.cadence.map(cadence),
        active_span: message.active_span.map(|span| DurationUnchecked { seconds: span.seconds, nanos: span.nanos }),
        collector: message.collector.map(|report| CollectorReport {
            name: report.name,
            nonce: report.nonce,
            sequence_number: report.sequence_number,
        }),
    }
}

/// The message of an event; `event(event_to_wire(&e))` is `e`.
pub fn event_to_wire(event: &EventUnchecked) -> wire::SessionEvent {
    wire::SessionEvent {
        event_id: event.event_id.clone(),
        worker_id: event.worker_id.clone(),
        session_id: event.session_id.clone(),
        event_time: event.event_time.map(timestamp_to_wire),
        activity: event.activity,
        claim: event.claim.as_ref().map(claim_to_wire),
        timezone: event.timezone.as_ref().map(|sample| wire::TimezoneSample {
            time_zone: sample.time_zone.clone(),
            utc_offset_minutes: sample.utc_offset_minutes,
            clock_skew_millis: sample.clock_skew_millis,
        }),
        typing: event.typing.as_ref().map(typing_to_wire),
        remote_input: event.remote_input.as_ref().map(remote_input_to_wire),
        network: event.network.as_ref().map(network_to_wire),
        device: event.device.as_ref().map(device_to_wire),
        pointer: event.pointer.as_ref().map(|sample| wire::PointerSample {
            interval_micros: sample.interval_micros.clone(),
            delta_x: sample.delta_x.clone(),
            delta_y: sample.delta_y.clone(),
            timer_resolution_micros: sample.timer_resolution_micros,
            source: sample.source,
            button_down_indexes: sample.button_down_indexes.clone(),
        }),
        challenge: event.challenge.as_ref().map(|sample| wire::ChallengeSample {
            reaction_micros: sample.reaction_micros.clone(),
            kind: sample.kind,
            refresh_rate_millihertz: sample.refresh_rate_millihertz,
        }),
        cadence: event.cadence.as_ref().map(cadence_to_wire),
        active_span: event.active_span.map(|span| wire::Duration { seconds: span.seconds, nanos: span.nanos }),
        collector: event.collector.as_ref().map(|report| wire::CollectorReport {
            name: report.name.clone(),
            nonce: report.nonce.clone(),
            sequence_number: report.sequence_number,
        }),
    }
}

/// An instant as the event room takes it.
pub fn timestamp(time: wire::Timestamp) -> TimestampUnchecked {
    TimestampUnchecked { seconds: time.seconds, nanos: time.nanos }
}

/// An instant before its check, as a message.
pub fn timestamp_to_wire(time: TimestampUnchecked) -> wire::Timestamp {
    wire::Timestamp { seconds: time.seconds, nanos: time.nanos }
}

/// A checked instant, as a message.
pub fn time_to_wire(time: EventTime) -> wire::Timestamp {
    wire::Timestamp::from_micros(time.0)
}

fn place(place: wire::Place) -> PlaceUnchecked {
    PlaceUnchecked {
        latitude_degrees: place.latitude_degrees,
        longitude_degrees: place.longitude_degrees,
        radius_km: place.radius_km,
    }
}

fn place_to_wire(place: PlaceUnchecked) -> wire::Place {
    wire::Place {
        latitude_degrees: place.latitude_degrees,
        longitude_degrees: place.longitude_degrees,
        radius_km: place.radius_km,
    }
}

fn claim(claim: wire::Claim) -> ClaimUnchecked {
    ClaimUnchecked {
        region_code: claim.region_code,
        subdivision_code: claim.subdivision_code,
        time_zone: claim.time_zone,
        place: claim.place.map(place),
        remote_access_sanctioned: claim.remote_access_sanctioned,
        assistive_technology: claim.assistive_technology,
        irregular_hours: claim.irregular_hours,
        hire_time: claim.hire_time.map(timestamp),
        shipping_token: claim.shipping_token,
        intermediary_token: claim.intermediary_token,
        declare_time: claim.declare_time.map(timestamp),
    }
}

fn claim_to_wire(claim: &ClaimUnchecked) -> wire::Claim {
    wire::Claim {
        region_code: claim.region_code.clone(),
        subdivision_code: claim.subdivision_code.clone(),
        time_zone: claim.time_zone.clone(),
        place: claim.place.map(place_to_wire),
        remote_access_sanctioned: claim.remote_access_sanctioned,
        assistive_technology: claim.assistive_technology,
        irregular_hours: claim.irregular_hours,
        hire_time: claim.hire_time.map(timestamp_to_wire),
        shipping_token: claim.shipping_token.clone(),
        intermediary_token: claim.intermediary_token.clone(),
        declare_time: claim.declare_time.map(timestamp_to_wire),
    }
}

/// A clock sample, as `MonitorSession` sends it alone.
pub fn timezone(sample: wire::TimezoneSample) -> TimezoneUnchecked {
    TimezoneUnchecked {
        time_zone: sample.time_zone,
        utc_offset_minutes: sample.utc_offset_minutes,
        clock_skew_millis: sample.clock_skew_millis,
    }
}

/// A typing sample, as `MonitorSession` sends it alone.
pub fn typing(sample: wire::TypingSample) -> TypingUnchecked {
    TypingUnchecked {
        context: sample.context,
        phrase_id: sample.phrase_id,
        press_interval_micros: sample.press_interval_micros,
        dwell_micros: sample.dwell_micros,
        key_classes: sample.key_classes,
        timer_resolution_micros: sample.timer_resolution_micros,
        dropped_press_count: sample.dropped_press_count,
        shuffled: sample.shuffled,
        insertion_count: sample.insertion_count,
        composition_count: sample.composition_count,
    }
}

fn typing_to_wire(sample: &TypingUnchecked) -> wire::TypingSample {
    wire::TypingSample {
        context: sample.context,
        phrase_id: sample.phrase_id.clone(),
        press_interval_micros: sample.press_interval_micros.clone(),
        dwell_micros: sample.dwell_micros.clone(),
        key_classes: sample.key_classes.clone(),
        timer_resolution_micros: sample.timer_resolution_micros,
        dropped_press_count: sample.dropped_press_count,
        shuffled: sample.shuffled,
        insertion_count: sample.insertion_count,
        composition_count: sample.composition_count,
    }
}

/// A remote-input sample, as `MonitorSession` sends it alone.
pub fn remote_input(sample: wire::RemoteInputSample) -> RemoteInputUnchecked {
    RemoteInputUnchecked {
        event_delay_micros: sample.event_delay_micros,
        pointer_interval_micros: sample.pointer_interval_micros,
        key_repeat_interval_micros: sample.key_repeat_interval_micros,
        timer_resolution_micros: sample.timer_resolution_micros,
        remote_session_reported: sample.remote_session_reported,
        input_path: sample.input_path,
        injected_event_count: sample.injected_event_count,
        event_count: sample.event_count,
        remote_control_programs: sample.remote_control_programs,
        stall_times: sample.stall_times.into_iter().map(timestamp).collect(),
        natural_loop_micros: sample.natural_loop_micros,
        correction_micros: sample.correction_micros,
    }
}

fn remote_input_to_wire(sample: &RemoteInputUnchecked) -> wire::RemoteInputSample {
    wire::RemoteInputSample {
        event_delay_micros: sample.event_delay_micros.clone(),
        pointer_interval_micros: sample.pointer_interval_micros.clone(),
        key_repeat_interval_micros: sample.key_repeat_interval_micros.clone(),
        timer_resolution_micros: sample.timer_resolution_micros,
        remote_session_reported: sample.remote_session_reported,
        input_path: sample.input_path,
        injected_event_count: sample.injected_event_count,
        event_count: sample.event_count,
        remote_control_programs: sample.remote_control_programs.clone(),
        stall_times: sample.stall_times.iter().copied().map(timestamp_to_wire).collect(),
        natural_loop_micros: sample.natural_loop_micros.clone(),
        correction_micros: sample.correction_micros.clone(),
    }
}

/// A network sample, as `MonitorSession` sends it alone.
pub fn network(sample: wire::NetworkSample) -> NetworkUnchecked {
    NetworkUnchecked {
        ip_address: sample.ip_address,
        ip_token: sample.ip_token,
        region_code: sample.region_code,
        subdivision_code: sample.subdivision_code,
        autonomous_system_number: sample.autonomous_system_number,
        connection_type: sample.connection_type,
        anonymizer_detected: sample.anonymizer_detected,
        tcp_rtt_micros: sample.tcp_rtt_micros,
        application_rtt_micros: sample.application_rtt_micros,
        ja4: sample.ja4,
        vantage: sample.vantage.map(place),
        edge_leg_micros: sample.edge_leg_micros,
        anchors: sample.anchors.into_iter().map(|anchor| (anchor.vantage.map(place), anchor.rtt_micros)).collect(),
        site_tokens: sample.site_tokens,
        address_place: sample.address_place.map(place),
        user_agent: sample.user_agent,
        operating_system: sample.operating_system,
        databases: Vec::new(),
    }
}

fn network_to_wire(sample: &NetworkUnchecked) -> wire::NetworkSample {
    wire::NetworkSample {
        ip_address: sample.ip_address.clone(),
        ip_token: sample.ip_token.clone(),
        region_code: sample.region_code.clone(),
        subdivision_code: sample.subdivision_code.clone(),
        autonomous_system_number: sample.autonomous_system_number,
        connection_type: sample.connection_type,
        anonymizer_detected: sample.anonymizer_detected,
        tcp_rtt_micros: sample.tcp_rtt_micros.clone(),
        application_rtt_micros: sample.application_rtt_micros.clone(),
        ja4: sample.ja4.clone(),
        vantage: sample.vantage.map(place_to_wire),
        edge_leg_micros: sample.edge_leg_micros,
        anchors: sample
            .anchors
            .iter()
            .map(|(vantage, rtt_micros)| wire::AnchorRoundTrips {
                vantage: vantage.map(place_to_wire),
                rtt_micros: rtt_micros.clone(),
            })
            .collect(),
        site_tokens: sample.site_tokens.clone(),
        address_place: sample.address_place.map(place_to_wire),
        user_agent: sample.user_agent.clone(),
        operating_system: sample.operating_system.clone(),
    }
}

/// A device sample, as `MonitorSession` sends it alone.
pub fn device(sample: wire::DeviceSample) -> DeviceUnchecked {
    DeviceUnchecked {
        device_token: sample.device_token,
        display_token: sample.display_token,
        peripherals: sample
            .peripherals
            .into_iter()
            .map(|device| (device.vendor_id, device.product_id, device.peripheral_class))
            .collect(),
        display_count: sample.display_count,
        managed: sample.managed,
        authenticator_token: sample.authenticator_token,
    }
}

fn device_to_wire(sample: &DeviceUnchecked) -> wire::DeviceSample {
    wire::DeviceSample {
        device_token: sample.device_token.clone(),
        display_token: sample.display_token.clone(),
        peripherals: sample
            .peripherals
            .iter()
            .map(|(vendor_id, product_id, class)| wire::Peripheral {
                vendor_id: *vendor_id,
                product_id: *product_id,
                peripheral_class: *class,
            })
            .collect(),
        display_count: sample.display_count,
        managed: sample.managed,
        authenticator_token: sample.authenticator_token.clone(),
    }
}

/// A pointer sample, as `MonitorSession` sends it alone.
pub fn pointer(sample: wire::PointerSample) -> PointerUnchecked {
    PointerUnchecked {
        interval_micros: sample.interval_micros,
        delta_x: sample.delta_x,
        delta_y: sample.delta_y,
        timer_resolution_micros: sample.timer_resolution_micros,
        source: sample.source,
        button_down_indexes: sample.button_down_indexes,
    }
}

/// Answers to prompts, as `MonitorSession` sends them alone.
pub fn challenge(sample: wire::ChallengeSample) -> ChallengeUnchecked {
    ChallengeUnchecked {
        reaction_micros: sample.reaction_micros,
        kind: sample.kind,
        refresh_rate_millihertz: sample.refresh_rate_millihertz,
    }
}

/// A cadence table, as `MonitorSession` sends it alone.
pub fn cadence(table: wire::CadenceTable) -> CadenceTableUnchecked {
    CadenceTableUnchecked {
        press_count: table.press_count,
        keys: table
            .keys
            .iter()
            .map(|row| KeyTime {
                usage: row.usage,
                count: row.count,
                dwell_median_micros: row.dwell_median_micros,
                dwell_spread_micros: row.dwell_spread_micros,
            })
            .collect(),
        digraphs: table
            .digraphs
            .iter()
            .map(|row| DigraphTime {
                first_usage: row.first_usage,
                second_usage: row.second_usage,
                count: row.count,
                press_interval_median_micros: row.press_interval_median_micros,
                press_interval_spread_micros: row.press_interval_spread_micros,
            })
            .collect(),
        timer_resolution_micros: table.timer_resolution_micros,
    }
}

fn cadence_to_wire(table: &CadenceTableUnchecked) -> wire::CadenceTable {
    wire::CadenceTable {
        press_count: table.press_count,
        keys: table
            .keys
            .iter()
            .map(|row| wire::KeyTime {
                usage: row.usage,
                count: row.count,
                dwell_median_micros: row.dwell_median_micros,
                dwell_spread_micros: row.dwell_spread_micros,
            })
            .collect(),
        digraphs: table
            .digraphs
            .iter()
            .map(|row| wire::DigraphTime {
                first_usage: row.first_usage,
                second_usage: row.second_usage,
                count: row.count,
                press_interval_median_micros: row.press_interval_median_micros,
                press_interval_spread_micros: row.press_interval_spread_micros,
            })
            .collect(),
        timer_resolution_micros: table.timer_resolution_micros,
    }
}

#[cfg(test)]
mod tests;
