//! Commit times of open-source authors with the offset each wrote them at (`rhythm/commit_activity_dev.csv.gz`).
//!
//! Facts, pseudonymous: aggregates fitted on them may ship, rows never.

use std::collections::BTreeMap;
use std::path::Path;

/// Pause that begins a session, seconds: the data set's own rule, and that of `evidence::timezone`.
pub const SESSION_PAUSE_SECONDS: i64 = 4 * 3_600;

/// One author's commits in time order.
#[derive(Debug, Clone, PartialEq)]
pub struct Author {
    /// Pseudonym.
    pub id: String,
    /// Seconds since 1970 UTC and the author's own offset at that commit, minutes east.
    pub commits: Vec<(i64, i32)>,
}

impl Author {
    /// Median of the offsets, minutes east.
    pub fn median_offset_minutes(&self) -> i32 {
        let mut offsets: Vec<i32> = self.commits.iter().map(|commit| commit.1).collect();
        offsets.sort_unstable();
        offsets.get(offsets.len() / 2).copied().unwrap_or(0)
    }

    /// Whether the offsets can be taken for where the author lives: within an hour of their median in 95 % of
    /// commits, and not 0 in over 90 % (machines set to UTC).
    pub fn settled(&self) -> bool {
        let (median, count) = (self.median_offset_minutes(), self.commits.len() as f64);
        let near = self.commits.iter().filter(|commit| (commit.1 - median).abs() <= 60).count() as f64;
        let zero = self.commits.iter().filter(|commit| commit.1 == 0).count() as f64;
        near >= 0.95 * count && zero <= 0.9 * count
    }

    /// Commits after a pause of four hours, the first included.
    pub fn session_starts(&self) -> Vec<(i64, i32)> {
        let mut last = i64::MIN;
        let mut starts = Vec::new();
        for commit in &self.commits {
            if commit.0.saturating_sub(last) >= SESSION_PAUSE_SECONDS {
                starts.push(*commit);
            }
            last = commit.0;
        }
        starts
    }
}

/// Reads all authors, by id; commits sorted by time.
pub fn read(data: &Path) -> Result<Vec<Author>, String> {
    let path = data.join("rhythm/commit_activity_dev.csv.gz");
    let file = std::fs::File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(file));
    let mut authors: BTreeMap<String, Vec<(i64, i32)>> = BTreeMap::new();
    for row in reader.deserialize() {
        let (author, seconds, offset): (String, i64, i32) =
            row.map_err(|error| format!("{}: {error}", path.display()))?;
        authors.entry(author).or_default().push((seconds, offset));
    }
    Ok(authors
        .into_iter()
        .map(|(id, mut commits)| {
            commits.sort_unstable();
            Author { id, commits }
        })
        .collect())
}
