//! What the committed recordings must show, relay by relay: physics, and what is known of each program.

use super::*;

/// Every recording of one relay.
fn of(protocol: &str) -> Vec<Capture> {
    let all = recordings().unwrap_or_else(|error| panic!("{error}"));
    let found: Vec<Capture> = all.into_iter().filter(|capture| capture.protocol == protocol).collect();
    assert!(!found.is_empty(), "no recording of {protocol}");
    found
}

/// Gaps between moves, sorted, pauses over 200 ms left out.
fn gaps(moves: &[Position]) -> Vec<f64> {
    let mut gaps: Vec<f64> =
        moves.windows(2).map(|two| two[1].millis - two[0].millis).filter(|gap| *gap < 200.0).collect();
    gaps.sort_by(f64::total_cmp);
    gaps
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Median gap between moves at the laptop, of each recording whose pointer is sound and whose network neither jitters
/// nor loses; of all when there is none.
fn quiet_gap_medians(protocol: &str) -> Vec<f64> {
    let sound: Vec<Capture> = of(protocol).into_iter().filter(Capture::pointer_sound).collect();
    let quiet = |capture: &&Capture| capture.jitter_millis == 0.0 && capture.loss_percent == 0.0;
    let chosen: Vec<&Capture> = match sound.iter().any(|capture| quiet(&capture)) {
        true => sound.iter().filter(quiet).collect(),
        false => sound.iter().collect(),
    };
    chosen.iter().map(|capture| median(&gaps(&capture.pointer))).collect()
}

/// Share of gaps of at most 1.2 ms.
fn together(moves: &[Position]) -> f64 {
    let gaps = gaps(moves);
    gaps.iter().filter(|gap| **gap <= 1.2).count() as f64 / gaps.len().max(1) as f64
}

#[test]
fn the_rig_recorded_forty_desks_and_forty_relays() {
    let all = recordings().unwrap_or_else(|error| panic!("{error}"));
    let sound = |capture: &&Capture| capture.soundness.is_some_and(|found| found.keys && found.machine);
    let local = all.iter().filter(|capture| !capture.remote).filter(sound).count();
    let remote: Vec<&Capture> =
        all.iter().filter(|capture| capture.remote && !capture.report_only).filter(sound).collect();
    let protocols: std::collections::BTreeSet<&str> = remote.iter().map(|capture| capture.protocol.as_str()).collect();
    assert!(local >= 40, "{local} local recordings");
    assert!(remote.len() >= 40, "{} remote recordings", remote.len());
    assert!(protocols.len() >= 8, "{protocols:?}");
}

#[test]
fn what_stands_for_unseen_relays_is_marked_and_nothing_else_is() {
    for capture in recordings().unwrap_or_else(|error| panic!("{error}")) {
        let unseen = ["rdp", "xpra"].contains(&capture.protocol.as_str());
        assert_eq!(capture.report_only, unseen, "{}", capture.condition);
    }
}

#[test]
fn nothing_crosses_the_network_faster_than_light_would() {
    for capture in recordings().unwrap_or_else(|error| panic!("{error}")) {
        for key in &capture.keys {
            let press = key.press - key.press_injected;
            // X2Go's agent stamps a release by the operator's clock, counted from the press before; some let go by
            // themselves.
            let own = capture.protocol == "x2go" || capture.auto_release;
            let release = if own { press } else { key.release - key.release_injected };
            // A clock of one millisecond may round down by one.
            let least = press.min(release);
            assert!(least > capture.rtt_millis / 2.0 - 1.0, "{} at {}: {least}", capture.condition, key.press_injected);
        }
        // Painting crosses once and the key once more.
        for delay in &capture.loop_delays {
            assert!(*delay > capture.rtt_millis - 1.0, "{}: {delay}", capture.condition);
        }
    }
}

#[test]
fn a_desk_adds_next_to_nothing() {
    for capture in of("local").iter().filter(|capture| capture.load.is_none() && capture.pointer_sound()) {
        let mut delays: Vec<f64> = capture.keys.iter().map(|key| key.press - key.press_injected).collect();
        delays.sort_by(f64::total_cmp);
        assert!(median(&delays) < 1.0, "{}: {}", capture.condition, median(&delays));
        assert!(capture.loop_delays.iter().all(|delay| *delay < 40.0), "{}", capture.condition);
        let moved = (median(&gaps(&capture.pointer)), median(&gaps(&capture.pointer_injected)));
        assert!((moved.0 - moved.1).abs() < 0.6, "{}: {moved:?}", capture.condition);
    }
}

#[test]
fn viewers_that_throttle_space_moves_as_known() {
    // TigerVNC's viewer sends at most one move per 20 ms or so, whatever the server; noVNC one per 17 ms.
    for (protocol, least, most) in
        [("xtigervnc", 18.0, 28.0), ("x0vnc", 16.0, 28.0), ("x11vnc", 16.0, 28.0), ("novnc", 15.0, 26.0)]
    {
        for gap in quiet_gap_medians(protocol) {
            assert!((least..most).contains(&gap), "{protocol}: {gap}");
        }
    }
}

#[test]
fn relays_that_pass_every_move_keep_the_pace_of_the_operators_device() {
    for protocol in ["sshx", "x2x"] {
        for capture in of(protocol).iter().filter(|c| c.jitter_millis == 0.0 && c.loss_percent == 0.0) {
            let pace = (median(&gaps(&capture.pointer)), median(&gaps(&capture.pointer_injected)));
            assert!((pace.0 - pace.1).abs() < 2.0, "{}: {pace:?}", capture.condition);
        }
    }
}

#[test]
fn relays_that_send_in_heaps_are_known_by_moves_that_arrive_together() {
    // gtk-vnc waits for the acknowledgement of what it sent before, x11vnc reads what TightVNC's viewer sends in pairs.
    for (protocol, least) in [("gtkvnc", 0.5), ("tightvnc", 0.2)] {
        for capture in of(protocol).iter().filter(|capture| capture.pointer_sound()) {
            assert!(together(&capture.pointer) > least, "{}: {}", capture.condition, together(&capture.pointer));
        }
    }
}

#[test]
fn an_ip_kvm_delivers_at_its_polls_and_lets_go_by_itself() {
    for capture in of("ipkvm") {
        if capture.condition.contains("_p8_") {
            // Of one gadget all arrivals share a phase of its 8 ms; whatever else is uniform over it.
            let turns = capture.pointer.iter().map(|moved| moved.millis / 8.0 * std::f64::consts::TAU);
            let (east, north) =
                turns.fold((0.0, 0.0), |sum: (f64, f64), turn| (sum.0 + turn.cos(), sum.1 + turn.sin()));
            let strength = east.hypot(north) / capture.pointer.len() as f64;
            assert!(strength > 0.7, "{}: {strength}", capture.condition);
        }
        let mut dwells: Vec<f64> = capture.keys.iter().map(|key| key.release - key.press).collect();
        dwells.sort_by(f64::total_cmp);
        let high = dwells[dwells.len() * 9 / 10];
        assert_eq!(high < 20.0, capture.auto_release, "{}: {high}", capture.condition);
    }
}
