//! A model on disk: `models/<id>/`, verified before it may answer.

use super::additive::{Additive, Prepared};
use super::reference::{PreparedReference, Reference};
use super::standing_model::{PreparedStanding, StandingModel};
use crate::evidence::{Parameters, feature};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The file people read and the service loads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Directory name under `models/`.
    pub model_id: String,
    /// Version of the feature schema it was trained with.
    pub feature_schema_version: u32,
    /// Names of the schema's features, in order.
    pub features: Vec<String>,
    /// When training ended, seconds since 1970. Given to the trainer, so that the same call gives the same bytes.
    pub train_time_seconds: i64,
    /// Latest instant in the training data, seconds since 1970.
    pub data_end_time_seconds: i64,
    /// Seed of every random number drawn in training.
    pub seed: u64,
    /// Weights of the findings.
    pub additive: Additive,
    /// From log-odds to probability.
    pub calibration: Calibration,
    /// From probability to level.
    pub levels: Levels,
    /// From sessions to standing.
    pub standing: StandingModel,
    /// Measured on held-out workers, by rising threshold.
    pub operating_points: Vec<OperatingPoint>,
    /// Constants of the evidence families.
    pub evidence: Parameters,
    /// How features of honest sessions were distributed in training; drift is measured against it. Older models have
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
}

/// Logistic calibration of the evidence: `probability = sigmoid(base + intercept + slope * (log-odds - base))`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Shift, nats.
    pub intercept: f64,
    /// Factor on the evidence; 1 when log-odds are true.
    pub slope: f64,
}

/// Probabilities at which levels begin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    /// Least probability of `MEDIUM`.
    pub medium: f64,
    /// Least probability of `HIGH`.
    pub high: f64,
}

/// What a threshold costs and catches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OperatingPoint {
    /// Threshold on the probability.
    pub threshold: f64,
    /// Share of honest sessions at or above it.
    pub false_positive_rate: f64,
    /// Share of hostile sessions at or above it.
    pub true_positive_rate: f64,
    /// Upper end of the 95 % interval of the false positive rate, resampled by worker.
    pub false_positive_rate_upper: f64,
    /// Lower end of the 95 % interval of the true positive rate, resampled by worker.
    pub true_positive_rate_lower: f64,
}

/// Why a model cannot be served.
#[derive(Debug)]
pub enum ArtefactError {
    /// A file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A file's hash is not the one recorded.
    HashDiffers {
        /// The file's name.
        file: String,
    },
    /// `SHA256SUMS` names no hash of a file that must be there.
    HashMissing {
        /// The file's name.
        file: String,
    },
    /// `model.json` does not parse.
    Malformed {
        /// What is wrong.
        cause: String,
    },
    /// The model speaks another feature schema.
    SchemaDiffers {
        /// The model's version.
        model: u32,
        /// The service's.
        service: u32,
    },
    /// A number or name in the model is not usable.
    Unsound {
        /// What is wrong.
        cause: String,
    },
}

impl std::fmt::Display for ArtefactError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable { path, cause } => write!(f, "cannot read {}: {cause}", path.display()),
            Self::HashDiffers { file } => {
                write!(f, "{file} is not the file SHA256SUMS was made for: restore it, or publish the model anew")
            }
            Self::HashMissing { file } => write!(f, "SHA256SUMS has no line for {file}: publish the model anew"),
            Self::Malformed { cause } => write!(f, "model.json does not parse: {cause}"),
            Self::SchemaDiffers { model, service } => write!(
                f,
                "the model speaks feature schema {model} and this release {service}: load a model made for this release"
            ),
            Self::Unsound { cause } => write!(f, "the model cannot be served: {cause}"),
        }
    }
}

impl std::error::Error for ArtefactError {}

/// A verified model, ready to serve.
#[derive(Debug)]
pub struct Model {
    /// The file as read.
    pub file: ModelFile,
    /// SHA-256 of `model.json`.
    pub sha256: [u8; 32],
    /// The terms by finding.
    pub additive: Prepared,
    /// The standing by finding.
    pub standing: PreparedStanding,
    /// The reference by feature; empty when the model has none.
    pub reference: PreparedReference,
}

/// The model shipped with the binary, so that a copied binary answers without a directory beside it.
const SHIPPED: &[u8] = include_bytes!("../../models/session-risk-1/model.json");
const SHIPPED_SUMS: &str = include_str!("../../models/session-risk-1/SHA256SUMS");

impl Model {
    /// Loads and verifies `models/<id>/`.
    ///
    /// # Errors
    /// [`ArtefactError`] names the file and the remedy.
    pub fn load(directory: &Path) -> Result<Self, ArtefactError> {
        let read = |file: &str| {
            let path = directory.join(file);
            std::fs::read(&path).map_err(|cause| ArtefactError::Unreadable { path, cause })
        };
        let sums = String::from_utf8_lossy(&read("SHA256SUMS")?).into_owned();
        for file in ["card.md", "evaluation.json"] {
            verify(file, &read(file)?, &sums)?;
        }
        Self::from_parts(&read("model.json")?, &sums)
    }

    /// The model shipped with this release.
    ///
    /// # Errors
    /// Never for a release: a test loads it.
    pub fn shipped() -> Result<Self, ArtefactError> {
        Self::from_parts(SHIPPED, SHIPPED_SUMS)
    }

    /// Verifies a model file against its recorded hash.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn from_parts(bytes: &[u8], sums: &str) -> Result<Self, ArtefactError> {
        let sha256 = verify("model.json", bytes, sums)?;
        // The version is read first, so that an old file is refused by version and not by a missing field.
        #[derive(Deserialize)]
        struct Version {
            feature_schema_version: u32,
        }
        let malformed = |error: serde_json::Error| ArtefactError::Malformed { cause: error.to_string() };
        let version: Version = serde_json::from_slice(bytes).map_err(malformed)?;
        let service = feature::FEATURE_SCHEMA_VERSION;
        if version.feature_schema_version != service {
            return Err(ArtefactError::SchemaDiffers { model: version.feature_schema_version, service });
        }
        let file: ModelFile = serde_json::from_slice(bytes).map_err(malformed)?;
        Self::prepare(file, sha256)
    }

    /// Checks a model file's numbers and names. The trainer uses this to serve what it is about to publish.
    ///
    /// # Errors
    /// [`ArtefactError::Unsound`] says what cannot be used.
    pub fn prepare(file: ModelFile, sha256: [u8; 32]) -> Result<Self, ArtefactError> {
        let unsound = |cause: String| ArtefactError::Unsound { cause };
        // A model made before a measurement was added knows nothing of it and gives it no weight. What it names must
        // be ours, in our order: a measurement removed or moved would mean another thing.
        let mut ours = feature::FeatureId::ALL.iter().map(|feature| feature.name());
        if !file.features.iter().all(|name| ours.any(|own| own == name)) {
            return Err(unsound("its list of features is not that of this schema".into()));
        }
        let points_sound = file.calibration.slope.is_finite()
            && file.calibration.slope > 0.0
            && file.calibration.intercept.is_finite()
            && 0.0 < file.levels.medium
            && file.levels.medium < file.levels.high
            && file.levels.high < 1.0;
        if !points_sound {
            return Err(unsound("calibration needs a rising slope, and levels 0 < medium < high < 1".into()));
        }
        file.evidence.check().map_err(unsound)?;
        let additive = file.additive.prepare().map_err(unsound)?;
        let standing = file.standing.clone().prepare().map_err(unsound)?;
        let reference = file.reference.as_ref().map(Reference::prepare).transpose().map_err(unsound)?;
        Ok(Self { file, sha256, additive, standing, reference: reference.unwrap_or_default() })
    }
}

fn verify(file: &str, bytes: &[u8], sums: &str) -> Result<[u8; 32], ArtefactError> {
    let line = sums.lines().find_map(|line| line.split_once("  ").filter(|(_, name)| *name == file));
    let Some((recorded, _)) = line else { return Err(ArtefactError::HashMissing { file: file.into() }) };
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    if hex(&hash) != recorded {
        return Err(ArtefactError::HashDiffers { file: file.into() });
    }
    Ok(hash)
}

/// Lower-case hexadecimal, as `sha256sum` prints it.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
