//! `refit-typing`: moves the tables' background and covariances to a tenant's people, from what its store keeps, and says
//! on workers held back whether it helped.
//!
//! A model directory is written only when told so, and only when it helped. It stands beside the old one and names it: its
//! card and evaluation tell what was moved, and hold no figure of the old model as if it were its own.

use crate::fit::typing::refit::{Refit, refit};
use crate::publish;
use elsewhere::evidence::typing::table::TableProfile;
use elsewhere::model::artefact::hex;
use elsewhere::model::{Model, ModelFile};
use serde::Serialize;
use std::path::Path;

/// Standard errors either side of a gain that make its 95 % interval.
const INTERVAL_ERRORS: f64 = 1.96;

/// What is written beside a refitted model, for machines.
#[derive(Debug, Serialize)]
struct Evaluation<'a> {
    model_id: &'a str,
    base_model_id: &'a str,
    base_sha256: String,
    command: &'a str,
    worker_count: usize,
    gain_nats_per_worker: f64,
    gain_interval: (f64, f64),
    helped: bool,
}

/// A refit beside the model it moves.
pub struct Refitted {
    base: Model,
    refit: Refit,
    profile_count: usize,
}

impl Refitted {
    /// Refits the model of a directory on a tenant's profiles.
    ///
    /// # Errors
    /// A model that cannot be loaded, or too few workers whose tables are of it.
    pub fn of(directory: &Path, profiles: &[TableProfile]) -> Result<Self, String> {
        let base = Model::load(directory).map_err(|error| format!("--model: {}: {error}", directory.display()))?;
        let refit = refit(&base.file.evidence.typing.table, profiles)?;
        Ok(Self { base, refit, profile_count: profiles.len() })
    }

    /// Whether held-back workers were the likelier for it, beyond chance.
    pub fn helped(&self) -> bool {
        self.refit.helped()
    }

    fn interval(&self) -> (f64, f64) {
        let reach = INTERVAL_ERRORS * self.refit.gain_error;
        (self.refit.gain - reach, self.refit.gain + reach)
    }

    /// What came of it, in words.
    pub fn report(&self) -> String {
        let Refit { worker_count, gain, .. } = self.refit;
        let (low, high) = self.interval();
        let judged = if self.helped() { "It helped" } else { "It did not help beyond chance" };
        let other = self.profile_count - worker_count;
        let silent = if other > 0 {
            format!(" {other} more hold coordinates of another model and took no part.")
        } else {
            String::new()
        };
        format!(
            "Tables of {base} refitted on {worker_count} workers.{silent}\n\
             Held back by fifths, a worker's stored hand is likelier by {gain:+.2} nats (95 % interval {low:+.2} to {high:+.2})\n\
             among the tenant's people than among the model's. {judged}.\n\
             Moved: where people stand, and how far they differ. Kept: coordinates, how one person varies, calibration, gate;\n\
             so stored profiles stay valid, and error rates were not measured: there are no samples to measure them on.\n",
            base = self.base.file.model_id,
        )
    }

    /// Writes the refitted model to a new directory, whose name becomes the model's.
    ///
    /// # Errors
    /// A directory that is there, one without a name, or one that cannot be written.
    pub fn write(&self, out: &Path, command: &str) -> Result<(), String> {
        if out.exists() {
            return Err(format!("--out: {} is there already: a released model is not written again", out.display()));
        }
        let model_id = out.file_name().and_then(|name| name.to_str()).ok_or("--out needs a directory name")?;
        let mut file: ModelFile = self.base.file.clone();
        file.model_id = model_id.into();
        file.evidence.typing.table = self.refit.parameters.clone();
        let sound =
            Model::prepare(file, [0; 32]).map_err(|error| format!("the refitted model is not sound: {error}"))?;
        let evaluation = Evaluation {
            model_id,
            base_model_id: &self.base.file.model_id,
            base_sha256: hex(&self.base.sha256),
            command,
            worker_count: self.refit.worker_count,
            gain_nats_per_worker: self.refit.gain,
            gain_interval: self.interval(),
            helped: self.helped(),
        };
        publish::write_model(out, &sound.file, &self.card(model_id, command), &evaluation)
    }

    fn card(&self, model_id: &str, command: &str) -> String {
        format!(
            "# {model_id}\n\n\
             {base} with its tables of free typing moved to one tenant's people. Everything else is {base}'s, and its card\n\
             (`model.json` of SHA-256 {sha}) tells how well that does; none of its figures was measured again here.\n\n\
             {report}\n\
             Made by `{command}`. It holds means and variances over all workers, and no worker's own.\n\n\
             Meant for the tenant whose workers it was fitted on. Load it second beside {base} and compare before it answers.\n",
            base = self.base.file.model_id,
            sha = hex(&self.base.sha256),
            report = self.report(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::keystroke::bare_event;
    use crate::fit::typing::samples;
    use elsewhere::event::{CadenceTableUnchecked, KeyTime};
    use elsewhere::evidence::typing::observe;
    use std::path::PathBuf;

    /// The shipped model's directory.
    fn shipped() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/session-risk-1")
    }

    /// Workers who all hold their keys so many per cent of the usual time, each a little otherwise.
    fn workers(count: u32, percent: u32, file: &ModelFile) -> Result<Vec<TableProfile>, String> {
        let mut profiles = Vec::new();
        for worker in 0..count {
            let mut profile = TableProfile::default();
            for day in 0..3 {
                let mut event = bare_event("w", "e".into(), 0);
                let key = |usage: u32| KeyTime {
                    usage,
                    count: 16,
                    dwell_median_micros: 950 * percent
                        + 700 * (worker * 7 % 11)
                        + 400 * (usage * worker % 5)
                        + 200 * day,
                    dwell_spread_micros: 15_000,
                };
                event.cadence = Some(CadenceTableUnchecked {
                    press_count: 512,
                    keys: (4..30).map(key).collect(),
                    timer_resolution_micros: 1_000,
                    ..CadenceTableUnchecked::default()
                });
                let table = observe(&samples(event)?).table.ok_or("no table")?;
                profile.learn(&table, &file.evidence.typing.table, 0);
            }
            profiles.push(profile);
        }
        Ok(profiles)
    }

    #[test]
    fn a_tenant_of_its_own_kind_gets_a_model_that_loads_and_names_where_it_came_from() -> Result<(), String> {
        let base = Model::load(&shipped()).map_err(|error| error.to_string())?;
        let refitted = Refitted::of(&shipped(), &workers(60, 150, &base.file)?)?;
        assert!(refitted.helped() && refitted.report().contains("60 workers"), "{}", refitted.report());
        let out = std::env::temp_dir().join(format!("elsewhere-refit-{}", std::process::id()));
        refitted.write(&out, "refit-typing")?;
        let loaded = Model::load(&out).map_err(|error| error.to_string())?;
        assert!(
            refitted.write(&out, "refit-typing").is_err_and(|error| error.starts_with("--out")),
            "never written twice"
        );
        let card = std::fs::read_to_string(out.join("card.md")).map_err(|error| error.to_string())?;
        std::fs::remove_dir_all(&out).map_err(|error| error.to_string())?;
        assert!(card.contains(&hex(&base.sha256)) && card.contains("95 % interval"));
        assert_eq!(loaded.file.additive, base.file.additive);
        assert_eq!(loaded.file.evidence.typing.table.basis, base.file.evidence.typing.table.basis);
        assert!(loaded.file.evidence.typing.table != base.file.evidence.typing.table);
        Ok(())
    }

    #[test]
    fn too_few_workers_and_a_model_that_is_none_are_named() -> Result<(), String> {
        let base = Model::load(&shipped()).map_err(|error| error.to_string())?;
        let few = Refitted::of(&shipped(), &workers(5, 100, &base.file)?);
        assert!(few.is_err_and(|error| error.contains("5 workers")));
        let nowhere = Refitted::of(Path::new("nowhere"), &[]);
        assert!(nowhere.is_err_and(|error| error.starts_with("--model")));
        Ok(())
    }
}
