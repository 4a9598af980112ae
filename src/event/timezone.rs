//! Checked clock facts of the client.

use super::violation::Violations;

/// What the client's clock says, unverified.
///
/// INVARIANT: made by [`super::EventUnchecked::check`] only. At least one field is set. The zone's name is well
/// formed; whether it exists is for `evidence::timezone` to say, since zone data age.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TimezoneSample {
    /// IANA zone the client reports; empty when not collected.
    pub time_zone: String,
    /// Offset from UTC, minutes east.
    pub utc_offset_minutes: Option<i32>,
    /// Client clock minus caller clock, milliseconds.
    pub clock_skew_millis: Option<i64>,
}

/// The clock as it came off the wire.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the proto's field of the same name")]
pub struct TimezoneUnchecked {
    pub time_zone: String,
    pub utc_offset_minutes: Option<i32>,
    pub clock_skew_millis: Option<i64>,
}

impl TimezoneUnchecked {
    pub(super) fn check(self, path: &str, v: &mut Violations) -> Option<TimezoneSample> {
        let before = v.total();
        if self == Self::default() {
            v.add(path, "is empty: leave it out when nothing was collected");
            return None;
        }
        super::check_zone_name(v, format_args!("{path}.time_zone"), &self.time_zone);
        if let Some(offset) = self.utc_offset_minutes
            && !(-720..=840).contains(&offset)
        {
            v.add(
                format!("{path}.utc_offset_minutes"),
                format!("is {offset}: -720 to 840, positive east of Greenwich"),
            );
        }
        if let Some(skew) = self.clock_skew_millis
            && !(-1_000_000_000_000..=1_000_000_000_000).contains(&skew)
        {
            v.add(format!("{path}.clock_skew_millis"), "is over thirty years: check its unit");
        }
        (v.total() == before).then_some(TimezoneSample {
            time_zone: self.time_zone,
            utc_offset_minutes: self.utc_offset_minutes,
            clock_skew_millis: self.clock_skew_millis,
        })
    }
}
