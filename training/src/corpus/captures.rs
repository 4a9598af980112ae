//! Reader of captures: real remote-control programs over an emulated network, `*.ndjson.gz` in one directory.
//!
//! Two directories hold them. Of `remote/` beside the other data sets, transport delays may be fitted on and the
//! replayed typing and paths may only be measured with (SOURCES.md). `training/capture/recordings` is the project's
//! own: simulated people, so every column may be fitted on, but not a recording marked `report`.
//!
//! Times are milliseconds after the first injected event.

use serde::Deserialize;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Conditions whose pointer recording is too sparse or not a hand's (SOURCES.md, "Defects").
const POINTER_DEFECTS: [&str; 4] = ["rtt060_j00", "rtt180_j00", "x11vnc_rtt000", "_bt"];

/// One key: injected and captured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// Typist within the file.
    pub typist: u32,
    /// `KeyClass` number.
    pub class: i32,
    /// Press as captured, milliseconds, on the fine clock.
    pub press: f64,
    /// Release as captured.
    pub release: f64,
    /// Press as injected.
    pub press_injected: f64,
    /// Release as injected.
    pub release_injected: f64,
}

/// One pointer position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// When, milliseconds.
    pub millis: f64,
    /// Pixels from the left.
    pub x: i32,
    /// Pixels from the top.
    pub y: i32,
}

/// What the rig found of a recording right after it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Soundness {
    /// Nearly every key arrived.
    pub keys: bool,
    /// Enough moves arrived to be measured.
    pub pointer: bool,
    /// The machine kept time: what stalls there are, the relay made (or the load that was asked for).
    pub machine: bool,
}

/// One recording.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Capture {
    /// Condition, the file's name without its ending; also the group intervals are resampled by.
    pub condition: String,
    /// Protocol, or `local`.
    pub protocol: String,
    /// Whether input came through a relay.
    pub remote: bool,
    /// Round trip of the emulated network, milliseconds.
    pub rtt_millis: f64,
    /// Jitter per direction, milliseconds.
    pub jitter_millis: f64,
    /// Loss, percent.
    pub loss_percent: f64,
    /// Stands for relays nobody has seen: measured with, never fitted or tuned on.
    pub report_only: bool,
    /// Lets go of keys by itself: releases tell nothing of the operator's finger.
    pub auto_release: bool,
    /// How busy the machine was made on purpose, as the load program's arguments.
    pub load: Option<String>,
    /// The rig's own findings; older captures carry none.
    pub soundness: Option<Soundness>,
    /// Keys in capture order.
    pub keys: Vec<Key>,
    /// Pointer as captured by the machine.
    pub pointer: Vec<Position>,
    /// Pointer as injected: how a local 125 Hz mouse would have delivered it.
    pub pointer_injected: Vec<Position>,
    /// Frame-coalesced browser moves.
    pub browser: Vec<Position>,
    /// Raw browser moves.
    pub browser_raw: Vec<Position>,
    /// Delay of each answered prompt beyond what the scripted operator added, milliseconds.
    pub loop_delays: Vec<f64>,
}

impl Capture {
    /// Whether its pointer is fit to be measured.
    pub fn pointer_sound(&self) -> bool {
        match self.soundness {
            Some(found) => found.pointer && found.machine,
            None => !POINTER_DEFECTS.iter().any(|defect| self.condition.contains(defect)),
        }
    }

    /// Whether the relay passed its moves on as the operator's device gave them: nothing to learn a relay from. The
    /// medians of their gaps differ by less than half a millisecond, the shares that come together by less than .03.
    pub fn traceless(&self) -> bool {
        let of = |moves: &[Position]| {
            let mut gaps: Vec<f64> =
                moves.windows(2).map(|two| two[1].millis - two[0].millis).filter(|gap| *gap < 200.0).collect();
            gaps.sort_by(f64::total_cmp);
            let together = gaps.iter().filter(|gap| **gap <= 1.2).count() as f64 / gaps.len().max(1) as f64;
            gaps.get(gaps.len() / 2).map(|median| (*median, together))
        };
        match (of(&self.pointer), of(&self.pointer_injected)) {
            (Some(out), Some(offered)) => (out.0 - offered.0).abs() < 0.5 && (out.1 - offered.1).abs() < 0.03,
            _ => false,
        }
    }

    /// Delays of key events in the order they were injected, milliseconds, without the constant part.
    pub fn key_delays(&self) -> Vec<f64> {
        let mut events: Vec<(f64, f64)> = Vec::with_capacity(self.keys.len() * 2);
        let mut typist = u32::MAX;
        let mut start = 0;
        for key in &self.keys {
            if key.typist != typist {
                events[start..].sort_by(|a, b| a.0.total_cmp(&b.0));
                (typist, start) = (key.typist, events.len());
            }
            let press_delay = key.press - key.press_injected;
            events.push((key.press_injected, press_delay));
            events.push((
                key.release_injected,
                if self.auto_release { press_delay } else { key.release - key.release_injected },
            ));
        }
        events[start..].sort_by(|a, b| a.0.total_cmp(&b.0));
        let least = events.iter().map(|event| event.1).fold(f64::INFINITY, f64::min);
        events.into_iter().map(|event| event.1 - least).collect()
    }
}

#[derive(Deserialize)]
struct Kvm {
    auto_release: bool,
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    cond: String,
    #[serde(default)]
    proto: String,
    #[serde(default)]
    rtt_ms: f64,
    #[serde(default)]
    jitter_ms_per_direction: f64,
    #[serde(default)]
    loss: f64,
    #[serde(default)]
    label: String,
    #[serde(default, rename = "use")]
    purpose: String,
    #[serde(default)]
    load: Option<String>,
    #[serde(default)]
    kvm: Option<Kvm>,
    #[serde(default)]
    sound: Option<Soundness>,
    #[serde(default)]
    typist: u32,
    #[serde(default)]
    class: i32,
    #[serde(default)]
    p_us: f64,
    #[serde(default)]
    r_us: f64,
    #[serde(default)]
    ip: f64,
    #[serde(default)]
    ir: f64,
    #[serde(default)]
    t: f64,
    #[serde(default)]
    t_us: Option<f64>,
    #[serde(default)]
    x: f64,
    #[serde(default)]
    y: f64,
    #[serde(default)]
    a: f64,
    #[serde(default)]
    b: f64,
    #[serde(default)]
    ts: f64,
    #[serde(default)]
    rt: Option<f64>,
    #[serde(default)]
    rt_human: Option<f64>,
}

/// Reads every capture under `data`/remote, by name.
pub fn captures(data: &Path) -> Result<Vec<Capture>, String> {
    directory(&data.join("remote"))
}

/// Reads the project's own recordings, by name; see `training/capture/README.md`.
pub fn recordings() -> Result<Vec<Capture>, String> {
    directory(&Path::new(env!("CARGO_MANIFEST_DIR")).join("capture/recordings"))
}

fn directory(folder: &Path) -> Result<Vec<Capture>, String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .map_err(|error| format!("cannot list {}: {error}", folder.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.to_string_lossy().ends_with(".ndjson.gz"))
        .collect();
    names.sort();
    names.iter().map(|path| capture(path)).collect()
}

fn capture(path: &Path) -> Result<Capture, String> {
    let file = std::fs::File::open(path).map_err(|error| format!("cannot open {}: {error}", path.display()))?;
    let mut out = Capture::default();
    for (number, line) in BufReader::new(flate2::read::GzDecoder::new(file)).lines().enumerate() {
        let at = |error: &dyn std::fmt::Display| format!("{} line {}: {error}", path.display(), number + 1);
        let line = line.map_err(|error| at(&error))?;
        let row: Row = serde_json::from_str(&line).map_err(|error| at(&error))?;
        let browser = Position { millis: row.ts, x: row.a as i32, y: row.b as i32 };
        match row.kind.as_str() {
            "meta" => {
                (out.condition, out.protocol, out.remote) = (row.cond, row.proto, row.label == "remote");
                (out.rtt_millis, out.jitter_millis, out.loss_percent) =
                    (row.rtt_ms, row.jitter_ms_per_direction, row.loss);
                out.report_only = row.purpose == "report";
                out.auto_release = row.kvm.is_some_and(|kvm| kvm.auto_release);
                (out.load, out.soundness) = (row.load, row.sound);
            }
            "key" => out.keys.push(Key {
                typist: row.typist,
                class: row.class,
                press: row.p_us,
                release: row.r_us,
                press_injected: row.ip,
                release_injected: row.ir,
            }),
            "ptr" => out.pointer.push(Position { millis: row.t_us.unwrap_or(row.t), x: row.x as i32, y: row.y as i32 }),
            "ptr_in" => out.pointer_injected.push(Position { millis: row.t, x: row.x as i32, y: row.y as i32 }),
            "web_ptr" => out.browser.push(browser),
            "web_ptr_raw" => out.browser_raw.push(browser),
            "chal" => {
                // No answer within 3 s is written as -1 or left without the operator's share.
                if let (Some(reaction), Some(human)) = (row.rt.filter(|reaction| *reaction > 0.0), row.rt_human) {
                    out.loop_delays.push(reaction - human);
                }
            }
            _ => {}
        }
    }
    Ok(out)
}

#[cfg(test)]
#[path = "captures_tests.rs"]
mod tests;
