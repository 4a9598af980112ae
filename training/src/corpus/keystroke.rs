//! Readers of the keystroke sets: one JSON object per line, one uninterrupted stretch of typing each.
//!
//! SOURCES.md says what each set is, how it was split and what its licence allows.

use flate2::read::GzDecoder;
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// A keystroke set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeystrokeSet {
    /// Killourhy & Maxion 2009, `.tie5Roanl` and Return, 400 times each. Measure only.
    Cmu,
    /// Dhakal et al. 2018, 15 transcribed sentences each. Measure only.
    Aalto,
    /// Monaco 2016, free text, six sessions of 500 presses.
    VillaniFree,
    /// Monaco 2016, fixed texts, four times 100 presses.
    VillaniFixed,
    /// Monaco 2016, a ten-digit number on the keypad, twenty times.
    Keypad,
    /// Belman et al. 2019, desktop part, one sitting.
    Bbmas,
    /// Al-Obaidi & Al-Jarrah, `.tie5Roanl` on a phone, 51 times.
    Meu,
}

impl KeystrokeSet {
    /// File name inside the `keystroke` folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Cmu => "cmu_dev.ndjson.gz",
            Self::Aalto => "aalto_dev.ndjson.gz",
            Self::VillaniFree => "villani_free_dev.ndjson.gz",
            Self::VillaniFixed => "villani_fixed_dev.ndjson.gz",
            Self::Keypad => "keypad_dev.ndjson.gz",
            Self::Bbmas => "bbmas_dev.ndjson.gz",
            Self::Meu => "meu_dev.ndjson.gz",
        }
    }

    /// Granularity of the clock that stamped the set, microseconds, as SOURCES.md gives it.
    pub fn timer_resolution_micros(self) -> u32 {
        match self {
            Self::Cmu => 200,
            Self::Aalto | Self::Meu => 1_000,
            Self::VillaniFree | Self::VillaniFixed | Self::Keypad | Self::Bbmas => 15_600,
        }
    }

    /// Whether parameters fitted on the set may ship.
    pub fn trainable(self) -> bool {
        !matches!(self, Self::Cmu | Self::Aalto)
    }
}

/// One stretch of typing. Columns are of equal length; times may exceed the limits of the wire.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Stretch {
    /// Pseudonym of the typist.
    pub subject: String,
    /// Session, 1-based; 0 where the set has none.
    #[serde(default)]
    pub session: u32,
    /// Press to press, microseconds; the first is 0.
    pub press_interval_micros: Vec<u32>,
    /// Press to release, microseconds; 0 = release not seen.
    pub dwell_micros: Vec<u32>,
    /// `KeyClass` numbers.
    #[serde(default)]
    pub classes: Vec<i32>,
    /// USB HID usages of letters, enter, erase and space; 0 for other keys. Empty where the set has none.
    #[serde(default)]
    pub usages: Vec<u32>,
}

/// All stretches of one typist, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Typist {
    /// Pseudonym, unique within the set.
    pub subject: String,
    /// Stretches in the order of the file.
    pub stretches: Vec<Stretch>,
}

/// Reads one set below `data` (the folder that holds `keystroke/`), typists in the order of the file.
pub fn read(data: &Path, set: KeystrokeSet) -> Result<Vec<Typist>, String> {
    let path = data.join("keystroke").join(set.file_name());
    let file = File::open(&path).map_err(|error| format!("cannot open {}: {error}", path.display()))?;
    let mut typists: Vec<Typist> = Vec::new();
    for (index, line) in BufReader::new(GzDecoder::new(file)).lines().enumerate() {
        let at = |error: String| format!("{} line {}: {error}", path.display(), index + 1);
        let line = line.map_err(|error| at(error.to_string()))?;
        let stretch: Stretch = serde_json::from_str(&line).map_err(|error| at(error.to_string()))?;
        if stretch.dwell_micros.len() != stretch.press_interval_micros.len() {
            return Err(at("columns differ in length".into()));
        }
        match typists.last_mut() {
            Some(last) if last.subject == stretch.subject => last.stretches.push(stretch),
            _ => match typists.iter().position(|typist| typist.subject == stretch.subject) {
                Some(position) => typists[position].stretches.push(stretch),
                None => typists.push(Typist { subject: stretch.subject.clone(), stretches: vec![stretch] }),
            },
        }
    }
    Ok(typists)
}
