//! What is wrong with an event, told so that the caller can mend it: field path, what was found, what to do.

/// What kind of fault a violation is; the wire has a reason of its own for some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Missing, malformed or out of range.
    Invalid,
    /// Columns of one sample differ in length.
    ColumnLengths {
        /// Length of the column the others are measured by.
        expected: usize,
        /// Length found.
        actual: usize,
    },
    /// Timing of a secret without the tenant's leave.
    SecretRefused,
}

/// One bad field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field in the proto, such as `event.typing.dwell_micros[17]`.
    pub field: String,
    /// What was found and what to do about it, in lower case, without type names of ours.
    pub description: String,
    /// What kind of fault it is.
    pub fault: Fault,
}

/// All violations of one event, in field order, under a growing path.
#[derive(Debug, Default)]
pub struct Violations {
    found: Vec<Violation>,
    total: usize,
}

/// The path of a field under `path`: `event` and `claim` make `event.claim`. Every sample of every event needs one, so it
/// is put together without the formatter.
pub(super) fn below(path: &str, field: &str) -> String {
    let mut joined = String::with_capacity(path.len() + 1 + field.len());
    joined.push_str(path);
    joined.push('.');
    joined.push_str(field);
    joined
}

impl Violations {
    /// Records a violation of `field`. Beyond [`super::limits::VIOLATIONS_MAX`] violations are counted only.
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.push(Violation { field: field.into(), description: description.into(), fault: Fault::Invalid });
    }

    /// Records a violation of any kind.
    pub fn push(&mut self, violation: Violation) {
        self.total += 1;
        if self.found.len() < super::limits::VIOLATIONS_MAX {
            self.found.push(violation);
        }
    }

    /// Whether nothing is wrong.
    pub fn none(&self) -> bool {
        self.total == 0
    }

    /// How many were found, listed or not.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Whether `field` has a violation already.
    pub fn names(&self, field: &str) -> bool {
        self.found.iter().any(|violation| violation.field == field)
    }

    /// The violations listed.
    pub fn list(&self) -> &[Violation] {
        &self.found
    }
}

impl std::fmt::Display for Violations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, violation) in self.found.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}`{}` {}", violation.field, violation.description)?;
        }
        match self.total - self.found.len() {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl std::error::Error for Violations {}
