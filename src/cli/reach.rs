//! How the hand reaches the machine, in words: remote control, distance and what is declared, each on a line of its own.

use super::{measure, tell};
use crate::api::wire;

/// Where the words of a line begin.
const INDENT: usize = 8;

/// The three answers in as few words as they go: `remote, near, sanctioned`.
pub fn in_short(reach: &wire::Reach) -> String {
    let control = match reach.remote_control() {
        wire::RemoteControl::Remote => "remote",
        wire::RemoteControl::Local => "local",
        wire::RemoteControl::Unknown | wire::RemoteControl::Unspecified => "remote or local unknown",
    };
    let distance = match reach.distance() {
        wire::Distance::Near => "near",
        wire::Distance::Far => "far",
        wire::Distance::Unknown | wire::Distance::Unspecified => "distance unknown",
    };
    let mut words = vec![control, distance];
    if reach.remote_access_sanctioned {
        words.push("sanctioned");
    } else if reach.remote_control() == wire::RemoteControl::Remote {
        words.push("not sanctioned");
    }
    if reach.assistive_technology {
        words.push("assistive technology");
    }
    words.join(", ")
}

/// Nats of an answer with what they are of, in brackets; that nothing was heard when there are none.
fn nats(log_odds: Option<f64>, of: &str) -> String {
    log_odds.map_or("nothing of it was heard".into(), |nats| format!("{nats:+.1} nats {of}"))
}

/// Tells all three, each with what it rests on.
pub fn tell(reach: &wire::Reach, bounds: Option<&wire::Whereabouts>, out: &mut String) {
    tell::wrap(&format!("How the hand reaches the machine: {}.", in_short(reach)), 0, out);
    let control = match reach.remote_control() {
        wire::RemoteControl::Remote => "yes, input comes through a relay",
        wire::RemoteControl::Local => "no, a hand is at the machine",
        wire::RemoteControl::Unknown | wire::RemoteControl::Unspecified => "not told",
    };
    let weight = nats(reach.remote_control_log_odds, "for a relay");
    tell::wrap(&format!("Remote control: {control} ({weight})."), INDENT, out);
    let distance = match reach.distance() {
        wire::Distance::Near => "near, at the machine or behind a near relay",
        wire::Distance::Far => "far, behind a long leg between hand and machine or between machine and claim",
        wire::Distance::Unknown | wire::Distance::Unspecified => "not told",
    };
    let interval = bounds.and_then(|bounds| bounds.loop_rtt_low_micros.zip(bounds.loop_rtt_high_micros));
    let interval = interval.map_or(String::new(), |(low, high)| {
        let shown = |micros: u32| measure::shown("x_micros", f64::from(micros));
        format!("; the loop from the machine to the hand and back takes {} to {}", shown(low), shown(high))
    });
    let weight = nats(reach.distance_log_odds, "for far");
    tell::wrap(&format!("Distance: {distance} ({weight}{interval})."), INDENT, out);
    if reach.remote_access_sanctioned {
        tell::wrap(
            "Sanctioned: remote access is declared. Remote control is expected and does not count; distance does.",
            INDENT,
            out,
        );
    }
    if reach.assistive_technology {
        tell::wrap(
            "Assistive technology is declared: pointer, keys and answers to prompts are not judged.",
            INDENT,
            out,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(control: wire::RemoteControl, distance: wire::Distance, sanctioned: bool) -> wire::Reach {
        wire::Reach {
            remote_control: control as i32,
            remote_control_log_odds: Some(4.1),
            distance: distance as i32,
            distance_log_odds: Some(-1.9),
            remote_access_sanctioned: sanctioned,
            assistive_technology: false,
        }
    }

    #[test]
    fn an_office_desktop_reads_remote_near_sanctioned() {
        let office = reach(wire::RemoteControl::Remote, wire::Distance::Near, true);
        assert_eq!(in_short(&office), "remote, near, sanctioned");
        let mut told = String::new();
        let bounds = wire::Whereabouts {
            loop_rtt_low_micros: Some(0),
            loop_rtt_high_micros: Some(85_000),
            ..Default::default()
        };
        tell(&office, Some(&bounds), &mut told);
        let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("(+4.1 nats for a relay)"), "{told}");
        assert!(words.contains("(-1.9 nats for far; the loop"), "{told}");
        assert!(words.contains("does not count; distance does."), "{told}");
    }

    #[test]
    fn what_is_not_declared_or_not_heard_is_said() {
        let farm = reach(wire::RemoteControl::Remote, wire::Distance::Far, false);
        assert_eq!(in_short(&farm), "remote, far, not sanctioned");
        let here = reach(wire::RemoteControl::Local, wire::Distance::Near, false);
        assert_eq!(in_short(&here), "local, near");
        let unheard = wire::Reach { assistive_technology: true, ..Default::default() };
        assert_eq!(in_short(&unheard), "remote or local unknown, distance unknown, assistive technology");
        let mut told = String::new();
        tell(&unheard, None, &mut told);
        assert_eq!(told.matches("nothing of it was heard").count(), 2, "{told}");
    }
}
