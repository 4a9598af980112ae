//! The hash by which two events are known to be equal, whatever door and spelling they came by.
//!
//! An event is written down in a form of its own and hashed by SHA-256. Per field that says something, in the order of
//! this file: its proto number, then its value; numbers in eight bytes, columns as count, bytes an entry and entries, texts
//! as count and bytes, messages as their fields and a zero. Proto numbers are not zero and counts come first, so equal
//! bytes are equal events. Entries of a column are equally long: that costs half of encoding and hashing the message.
//!
//! Hashes are kept beside verdicts. A new field keeps old events' hashes, since what is not set is not written; to
//! change anything else would make every stored event id "used with different content" (test
//! `hashes_are_the_same_in_every_release`).
//!
//! Worked example: `event_id` "e" alone is written as 1, then 1 in eight bytes, then `e`: ten bytes.

use super::wire;
use sha2::{Digest as _, Sha256};

/// Hash of an event in canonical form: equal hashes mean equal events.
pub fn content_hash(message: &wire::SessionEvent) -> [u8; 32] {
    // A full login takes about 2 KB.
    let mut form = Form(Vec::with_capacity(4_096));
    form.event(message);
    Sha256::digest(&form.0).into()
}

/// The written form.
struct Form(Vec<u8>);

impl Form {
    fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&(count as u64).to_le_bytes());
    }

    /// A number, or anything that is one; left out when 0, as proto3 does.
    fn number(&mut self, field: u8, value: impl Into<i64>) {
        let value = value.into();
        if value != 0 {
            self.some(field, Some(value));
        }
    }

    /// A number whose absence says something else than 0.
    fn some(&mut self, field: u8, value: Option<impl Into<i64>>) {
        if let Some(value) = value {
            self.0.push(field);
            self.0.extend_from_slice(&value.into().to_le_bytes());
        }
    }

    fn float(&mut self, field: u8, value: f64) {
        // Either zero is left out.
        if value != 0.0 {
            self.0.push(field);
            self.0.extend_from_slice(&value.to_bits().to_le_bytes());
        }
    }

    fn bytes(&mut self, field: u8, value: &[u8]) {
        if !value.is_empty() {
            self.entry(field, value);
        }
    }

    /// One entry of a list of texts or tokens: written even when empty.
    fn entry(&mut self, field: u8, value: &[u8]) {
        self.0.push(field);
        self.count(value.len());
        self.0.extend_from_slice(value);
    }

    /// A column in as many bytes an entry as its largest needs: fewer bytes to hash.
    fn column<T: Copy>(&mut self, field: u8, column: &[T], number: impl Fn(T) -> u32) {
        if column.is_empty() {
            return;
        }
        let bits = column.iter().fold(0, |bits, value| bits | number(*value));
        let width = 4 - bits.leading_zeros() / 8;
        self.0.push(field);
        self.count(column.len());
        self.0.push(width as u8);
        let numbers = column.iter().map(|value| number(*value));
        match width {
            0 => {}
            1 => self.0.extend(numbers.map(|number| number as u8)),
            2 => self.entries(numbers.map(|number| (number as u16).to_le_bytes())),
            3 => self.entries(numbers.map(|number| {
                let [low, middle, high, _] = number.to_le_bytes();
                [low, middle, high]
            })),
            _ => self.entries(numbers.map(u32::to_le_bytes)),
        }
    }

    fn entries<const N: usize>(&mut self, entries: impl ExactSizeIterator<Item = [u8; N]>) {
        let from = self.0.len();
        self.0.resize(from + N * entries.len(), 0);
        let (slots, _) = self.0[from..].as_chunks_mut::<N>();
        slots.iter_mut().zip(entries).for_each(|(slot, entry)| *slot = entry);
    }

    fn unsigned(&mut self, field: u8, column: &[u32]) {
        self.column(field, column, |value| value);
    }

    fn signed(&mut self, field: u8, column: &[i32]) {
        // Zigzag, so that small numbers below zero stay small: 0, -1, 1, -2 become 0, 1, 2, 3.
        self.column(field, column, |value| ((value << 1) ^ (value >> 31)).cast_unsigned());
    }

    fn message<T>(&mut self, field: u8, message: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        if let Some(message) = message {
            self.0.push(field);
            write(self, message);
            self.0.push(0);
        }
    }

    fn messages<T>(&mut self, field: u8, messages: &[T], write: impl Fn(&mut Self, &T)) {
        for message in messages {
            self.message(field, Some(message), &write);
        }
    }

    // Every message is taken apart in full: a field added to the contract does not compile until it is written here.

    fn event(&mut self, message: &wire::SessionEvent) {
        let wire::SessionEvent {
            event_id,
            worker_id,
            session_id,
            event_time,
            activity,
            claim,
            timezone,
            typing,
            remote_input,
            network,
            device,
            pointer,
            challenge,
            cadence,
            active_span,
            collector,
        } = message;
        self.bytes(1, event_id.as_bytes());
        self.bytes(2, worker_id.as_bytes());
        self.bytes(3, session_id.as_bytes());
        self.message(4, event_time.as_ref(), Self::timestamp);
        self.number(5, *activity);
        self.message(6, claim.as_ref(), Self::claim);
        self.message(7, timezone.as_ref(), Self::timezone);
        self.message(8, typing.as_ref(), Self::typing);
        self.message(9, remote_input.as_ref(), Self::remote_input);
        self.message(10, network.as_ref(), Self::network);
        self.message(11, device.as_ref(), Self::device);
        self.message(12, pointer.as_ref(), Self::pointer);
        self.message(13, challenge.as_ref(), Self::challenge);
        self.message(14, cadence.as_ref(), Self::cadence);
        self.message(15, active_span.as_ref(), |form, wire::Duration { seconds, nanos }| {
            form.number(1, *seconds);
            form.number(2, *nanos);
        });
        self.message(16, collector.as_ref(), |form, wire::CollectorReport { name, nonce, sequence_number }| {
            form.bytes(1, name.as_bytes());
            form.bytes(2, nonce.as_bytes());
            form.number(3, sequence_number.cast_signed());
        });
    }

    fn timestamp(&mut self, wire::Timestamp { seconds, nanos }: &wire::Timestamp) {
        self.number(1, *seconds);
        self.number(2, *nanos);
    }

    fn place(&mut self, message: &wire::Place) {
        let wire::Place { latitude_degrees, longitude_degrees, radius_km } = message;
        self.float(1, *latitude_degrees);
        self.float(2, *longitude_degrees);
        self.number(3, *radius_km);
    }

    fn claim(&mut self, message: &wire::Claim) {
        let wire::Claim {
            region_code,
            subdivision_code,
            time_zone,
            place,
            remote_access_sanctioned,
            assistive_technology,
            irregular_hours,
            hire_time,
            shipping_token,
            intermediary_token,
            declare_time,
        } = message;
        self.bytes(1, region_code.as_bytes());
        self.bytes(2, subdivision_code.as_bytes());
        self.bytes(3, time_zone.as_bytes());
        self.message(5, place.as_ref(), Self::place);
        self.number(6, *remote_access_sanctioned);
        self.number(7, *assistive_technology);
        self.number(8, *irregular_hours);
        self.message(9, hire_time.as_ref(), Self::timestamp);
        self.bytes(10, shipping_token);
        self.bytes(11, intermediary_token);
        self.message(12, declare_time.as_ref(), Self::timestamp);
    }

    fn timezone(&mut self, message: &wire::TimezoneSample) {
        let wire::TimezoneSample { time_zone, utc_offset_minutes, clock_skew_millis } = message;
        self.bytes(1, time_zone.as_bytes());
        self.some(2, *utc_offset_minutes);
        self.some(3, *clock_skew_millis);
    }

    fn typing(&mut self, message: &wire::TypingSample) {
        let wire::TypingSample {
            context,
            phrase_id,
            press_interval_micros,
            dwell_micros,
            key_classes,
            timer_resolution_micros,
            dropped_press_count,
            shuffled,
            insertion_count,
            composition_count,
        } = message;
        self.number(1, *context);
        self.bytes(2, phrase_id.as_bytes());
        self.unsigned(3, press_interval_micros);
        self.unsigned(4, dwell_micros);
        self.signed(5, key_classes);
        self.number(6, *timer_resolution_micros);
        self.number(7, *dropped_press_count);
        self.number(8, *shuffled);
        self.number(9, *insertion_count);
        self.number(10, *composition_count);
    }

    fn remote_input(&mut self, message: &wire::RemoteInputSample) {
        let wire::RemoteInputSample {
            event_delay_micros,
            pointer_interval_micros,
            key_repeat_interval_micros,
            timer_resolution_micros,
            remote_session_reported,
            input_path,
            injected_event_count,
            event_count,
            remote_control_programs,
            stall_times,
            natural_loop_micros,
            correction_micros,
        } = message;
        self.signed(1, event_delay_micros);
        self.unsigned(2, pointer_interval_micros);
        self.unsigned(3, key_repeat_interval_micros);
        self.number(4, *timer_resolution_micros);
        self.some(5, *remote_session_reported);
        self.number(6, *input_path);
        self.some(7, *injected_event_count);
        self.number(8, *event_count);
        for program in remote_control_programs {
            self.entry(9, program.as_bytes());
        }
        self.messages(10, stall_times, Self::timestamp);
        self.unsigned(11, natural_loop_micros);
        self.unsigned(12, correction_micros);
    }

    fn network(&mut self, message: &wire::NetworkSample) {
        let wire::NetworkSample {
            ip_address,
            ip_token,
            region_code,
            subdivision_code,
            autonomous_system_number,
            connection_type,
            anonymizer_detected,
            tcp_rtt_micros,
            application_rtt_micros,
            ja4,
            vantage,
            edge_leg_micros,
            anchors,
            site_tokens,
            address_place,
            user_agent,
            operating_system,
        } = message;
        self.bytes(1, ip_address.as_bytes());
        self.bytes(2, ip_token);
        self.bytes(3, region_code.as_bytes());
        self.bytes(4, subdivision_code.as_bytes());
        self.number(5, *autonomous_system_number);
        self.number(6, *connection_type);
        self.some(7, *anonymizer_detected);
        self.unsigned(8, tcp_rtt_micros);
        self.unsigned(9, application_rtt_micros);
        self.bytes(10, ja4.as_bytes());
        self.message(11, vantage.as_ref(), Self::place);
        self.message(12, address_place.as_ref(), Self::place);
        self.bytes(13, user_agent.as_bytes());
        self.bytes(14, operating_system.as_bytes());
        self.number(15, *edge_leg_micros);
        self.messages(16, anchors, |form, wire::AnchorRoundTrips { vantage, rtt_micros }| {
            form.message(1, vantage.as_ref(), Self::place);
            form.unsigned(2, rtt_micros);
        });
        for token in site_tokens {
            self.entry(17, token);
        }
    }

    fn device(&mut self, message: &wire::DeviceSample) {
        let wire::DeviceSample {
            device_token,
            display_token,
            peripherals,
            display_count,
            managed,
            authenticator_token,
        } = message;
        self.bytes(1, device_token);
        self.bytes(2, display_token);
        self.messages(3, peripherals, |form, wire::Peripheral { vendor_id, product_id, peripheral_class }| {
            form.number(1, *vendor_id);
            form.number(2, *product_id);
            form.number(3, *peripheral_class);
        });
        self.some(4, *display_count);
        self.some(5, *managed);
        self.bytes(6, authenticator_token);
    }

    fn pointer(&mut self, message: &wire::PointerSample) {
        let wire::PointerSample {
            interval_micros,
            delta_x,
            delta_y,
            timer_resolution_micros,
            source,
            button_down_indexes,
        } = message;
        self.unsigned(1, interval_micros);
        self.signed(2, delta_x);
        self.signed(3, delta_y);
        self.number(4, *timer_resolution_micros);
        self.number(5, *source);
        self.unsigned(6, button_down_indexes);
    }

    fn challenge(&mut self, message: &wire::ChallengeSample) {
        let wire::ChallengeSample { reaction_micros, kind, refresh_rate_millihertz } = message;
        self.unsigned(1, reaction_micros);
        self.number(2, *kind);
        self.number(3, *refresh_rate_millihertz);
    }

    fn cadence(&mut self, message: &wire::CadenceTable) {
        let wire::CadenceTable { press_count, keys, digraphs, timer_resolution_micros } = message;
        self.number(1, *press_count);
        self.messages(2, keys, |form, message| {
            let wire::KeyTime { usage, count, dwell_median_micros, dwell_spread_micros } = message;
            form.number(1, *usage);
            form.number(2, *count);
            form.number(3, *dwell_median_micros);
            form.number(4, *dwell_spread_micros);
        });
        self.messages(3, digraphs, |form, message| {
            let wire::DigraphTime {
                first_usage,
                second_usage,
                count,
                press_interval_median_micros,
                press_interval_spread_micros,
            } = message;
            form.number(1, *first_usage);
            form.number(2, *second_usage);
            form.number(3, *count);
            form.number(4, *press_interval_median_micros);
            form.number(5, *press_interval_spread_micros);
        });
        self.number(4, *timer_resolution_micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;

    fn full() -> wire::SessionEvent {
        let place = wire::Place { latitude_degrees: 33.45, longitude_degrees: -112.07, radius_km: 50 };
        wire::SessionEvent {
            event_id: "e".into(),
            worker_id: "w".into(),
            event_time: Some(wire::Timestamp { seconds: 1_772_463_600, nanos: 5_000 }),
            activity: 1,
            claim: Some(wire::Claim { region_code: "US".into(), place: Some(place), ..Default::default() }),
            timezone: Some(wire::TimezoneSample { utc_offset_minutes: Some(0), ..Default::default() }),
            typing: Some(wire::TypingSample {
                press_interval_micros: vec![0, 150_000],
                dwell_micros: vec![90_000, 70_000],
                key_classes: vec![1, 4],
                ..Default::default()
            }),
            pointer: Some(wire::PointerSample { delta_x: vec![-3, 4], ..Default::default() }),
            network: Some(wire::NetworkSample {
                site_tokens: vec![vec![1, 2], vec![]],
                anchors: vec![wire::AnchorRoundTrips { vantage: None, rtt_micros: vec![7] }],
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    #[test]
    fn hashes_are_the_same_in_every_release() {
        // By hand: field 1, count 1 in eight bytes, the letter.
        let alone = wire::SessionEvent { event_id: "e".into(), ..Default::default() };
        assert_eq!(content_hash(&alone), <[u8; 32]>::from(Sha256::digest(b"\x01\x01\0\0\0\0\0\0\0e")));
        let hash = crate::model::artefact::hex(&content_hash(&full()));
        assert_eq!(hash, "123ae8061babac377036d256847af69987aaeef10d9a885439ca1e2d489c68e1");
    }

    #[test]
    fn one_changed_bit_of_the_message_changes_the_hash() {
        let (event, bytes) = (full(), full().encode_to_vec());
        let mut changed = 0;
        for bit in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let Ok(other) = wire::SessionEvent::decode(other.as_slice()) else { continue };
            changed += usize::from(other != event);
            // A change that makes a field nobody knows leaves the event as it was.
            assert_eq!(content_hash(&other) == content_hash(&event), other == event, "bit {bit}");
        }
        assert!(changed > 300, "only {changed} changes could be read");
    }

    #[test]
    fn columns_do_not_run_into_one_another() {
        let typing = |press: Vec<u32>, dwell: Vec<u32>| wire::SessionEvent {
            typing: Some(wire::TypingSample {
                press_interval_micros: press,
                dwell_micros: dwell,
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_ne!(content_hash(&typing(vec![1, 2], vec![3])), content_hash(&typing(vec![1], vec![2, 3])));
        assert_ne!(content_hash(&typing(vec![], vec![1])), content_hash(&typing(vec![1], vec![])));
        // Nothing set and nothing there are different things, as they are to the checks.
        assert_ne!(content_hash(&typing(vec![], vec![])), content_hash(&wire::SessionEvent::default()));
    }
}
