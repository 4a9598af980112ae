use super::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn instant() -> impl Strategy<Value = TimestampUnchecked> {
    (0..253_402_300_800_i64, 0..1_000_000_000).prop_map(|(seconds, nanos)| TimestampUnchecked { seconds, nanos })
}

fn a_place() -> impl Strategy<Value = PlaceUnchecked> {
    (-90.0..90.0_f64, -180.0..180.0_f64, any::<u32>()).prop_map(|(latitude_degrees, longitude_degrees, radius_km)| {
        PlaceUnchecked { latitude_degrees, longitude_degrees, radius_km }
    })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..20)
}

fn column() -> impl Strategy<Value = Vec<u32>> {
    vec(any::<u32>(), 0..5)
}

fn signed() -> impl Strategy<Value = Vec<i32>> {
    vec(any::<i32>(), 0..5)
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,8}"
}

prop_compose! {
    fn a_claim()(
        (region_code, subdivision_code, time_zone) in (text(), text(), text()),
        place in option::of(a_place()),
        (remote_access_sanctioned, assistive_technology, irregular_hours) in any::<(bool, bool, bool)>(),
        (hire_time, declare_time) in (option::of(instant()), option::of(instant())),
        (shipping_token, intermediary_token) in (bytes(), bytes()),
    ) -> ClaimUnchecked {
        ClaimUnchecked {
            region_code, subdivision_code, time_zone, place, remote_access_sanctioned, assistive_technology,
            irregular_hours, hire_time, shipping_token, intermediary_token, declare_time,
        }
    }
}

prop_compose! {
    fn a_typing()(
        context in 0..4, phrase_id in text(), press_interval_micros in column(), dwell_micros in column(),
        key_classes in vec(0..9, 0..5), counts in any::<[u32; 4]>(), shuffled in any::<bool>(),
    ) -> TypingUnchecked {
        let [timer_resolution_micros, dropped_press_count, insertion_count, composition_count] = counts;
        TypingUnchecked {
            context, phrase_id, press_interval_micros, dwell_micros, key_classes, timer_resolution_micros,
            dropped_press_count, shuffled, insertion_count, composition_count,
        }
    }
}

prop_compose! {
    fn a_remote_input()(
        event_delay_micros in signed(), columns in (column(), column(), column(), column()),
        (timer_resolution_micros, event_count) in any::<(u32, u32)>(),
        (remote_session_reported, injected_event_count) in any::<(Option<bool>, Option<u32>)>(),
        input_path in 0..6, remote_control_programs in vec(text(), 0..3), stall_times in vec(instant(), 0..3),
    ) -> RemoteInputUnchecked {
        let (pointer_interval_micros, key_repeat_interval_micros, natural_loop_micros, correction_micros) = columns;
        RemoteInputUnchecked {
            event_delay_micros, pointer_interval_micros, key_repeat_interval_micros, timer_resolution_micros,
            remote_session_reported, input_path, injected_event_count, event_count, remote_control_programs,
            stall_times, natural_loop_micros, correction_micros,
        }
    }
}

prop_compose! {
    fn a_network()(
        texts in [text(), text(), text(), text(), text(), text()], ip_token in bytes(),
        (autonomous_system_number, edge_leg_micros) in any::<(u32, u32)>(), connection_type in 0..5,
        anonymizer_detected in any::<Option<bool>>(), (tcp_rtt_micros, application_rtt_micros) in (column(), column()),
        (vantage, address_place) in (option::of(a_place()), option::of(a_place())),
        anchors in vec((option::of(a_place()), column()), 0..3), site_tokens in vec(bytes(), 0..3),
    ) -> NetworkUnchecked {
        let [ip_address, region_code, subdivision_code, ja4, user_agent, operating_system] = texts;
        NetworkUnchecked {
            ip_address, ip_token, region_code, subdivision_code, autonomous_system_number, connection_type,
            anonymizer_detected, tcp_rtt_micros, application_rtt_micros, ja4, vantage, edge_leg_micros, anchors,
            site_tokens, address_place, user_agent, operating_system, databases: Vec::new(),
        }
    }
}

prop_compose! {
    fn a_device()(
        tokens in [bytes(), bytes(), bytes()], peripherals in vec((any::<u32>(), any::<u32>(), 0..7), 0..3),
        display_count in any::<Option<u32>>(), managed in any::<Option<bool>>(),
    ) -> DeviceUnchecked {
        let [device_token, display_token, authenticator_token] = tokens;
        DeviceUnchecked { device_token, display_token, peripherals, display_count, managed, authenticator_token }
    }
}

prop_compose! {
    fn a_pointer()(
        (interval_micros, button_down_indexes) in (column(), column()), (delta_x, delta_y) in (signed(), signed()),
        timer_resolution_micros in any::<u32>(), source in 0..3,
    ) -> PointerUnchecked {
        PointerUnchecked { interval_micros, delta_x, delta_y, timer_resolution_micros, source, button_down_indexes }
    }
}

prop_compose! {
    fn a_cadence()(
        keys in vec(any::<[u32; 4]>(), 0..3), digraphs in vec(any::<[u32; 5]>(), 0..3),
        (press_count, timer_resolution_micros) in any::<(u32, u32)>(),
    ) -> CadenceTableUnchecked {
        let key = |[usage, count, dwell_median_micros, dwell_spread_micros]: [u32; 4]| {
            KeyTime { usage, count, dwell_median_micros, dwell_spread_micros }
        };
        let digraph = |row: [u32; 5]| {
            let [first_usage, second_usage, count, press_interval_median_micros, press_interval_spread_micros] = row;
            DigraphTime { first_usage, second_usage, count, press_interval_median_micros, press_interval_spread_micros }
        };
        let (keys, digraphs) = (keys.into_iter().map(key).collect(), digraphs.into_iter().map(digraph).collect());
        CadenceTableUnchecked { press_count, keys, digraphs, timer_resolution_micros }
    }
}

prop_compose! {
    fn an_event()(
        (event_id, worker_id, session_id) in (text(), text(), text()), event_time in option::of(instant()), activity in 0..6,
        claim in option::of(a_claim()),
        timezone in option::of((text(), any::<Option<i32>>(), any::<Option<i64>>()).prop_map(
            |(time_zone, utc_offset_minutes, clock_skew_millis)| TimezoneUnchecked { time_zone, utc_offset_minutes, clock_skew_millis }
        )),
        (typing, cadence) in (option::of(a_typing()), option::of(a_cadence())),
        (remote_input, network) in (option::of(a_remote_input()), option::of(a_network())),
        (device, pointer) in (option::of(a_device()), option::of(a_pointer())),
        challenge in option::of((column(), 0..3, any::<u32>()).prop_map(
            |(reaction_micros, kind, refresh_rate_millihertz)| ChallengeUnchecked { reaction_micros, kind, refresh_rate_millihertz }
        )),
        active_span in option::of((0..100_000_i64, 0..1_000_000_000).prop_map(|(seconds, nanos)| DurationUnchecked { seconds, nanos })),
        collector in option::of((text(), text(), any::<u32>()).prop_map(
            |(name, nonce, sequence_number)| CollectorReport { name, nonce, sequence_number }
        )),
    ) -> EventUnchecked {
        EventUnchecked {
            event_id, worker_id, session_id, event_time, activity, claim, timezone, typing, remote_input, network,
            device, pointer, challenge, cadence, active_span, collector,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn events_come_back_from_messages_bytes_and_json(before in an_event()) {
        let message = event_to_wire(&before);
        prop_assert_eq!(&event(message.clone()), &before);
        let from_bytes = wire::SessionEvent::decode(message.encode_to_vec().as_slice()).unwrap();
        prop_assert_eq!(&event(from_bytes), &before);
        let json = serde_json::to_string(&message).unwrap();
        let from_json: wire::SessionEvent = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&event(from_json), &before);
    }
}

#[test]
fn an_event_hashes_alike_however_it_was_written() {
    let camel: wire::SessionEvent =
        serde_json::from_str(r#"{"eventId":"e","activity":"SESSION_ACTIVITY_LOGON","sessionId":""}"#).unwrap();
    let snake: wire::SessionEvent = serde_json::from_str(r#"{"activity":1,"event_id":"e"}"#).unwrap();
    assert_eq!(content_hash(&camel), content_hash(&snake));
    assert_ne!(content_hash(&camel), content_hash(&wire::SessionEvent { worker_id: "w".into(), ..camel.clone() }));
}

#[test]
fn an_unknown_profile_update_is_named() {
    let mut violations = Violations::default();
    assert_eq!(profile_update(0, &mut violations), Some(wire::ProfileUpdate::Unspecified));
    assert_eq!(profile_update(17, &mut violations), None);
    assert!(violations.names("profile_update"));
}
