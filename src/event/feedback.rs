//! Feedback: what turned out to be true of an event, a session or a worker, and how that is known.

use super::{EventTime, TimestampUnchecked, Violations, check_identifier, limits};
use serde::{Deserialize, Serialize};

/// What turned out to be true. Numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Label {
    /// The worker of record, where they said.
    Genuine = 1,
    /// The worker of record, elsewhere with leave.
    GenuineElsewhere = 2,
    /// Another person works.
    Impostor = 3,
    /// Worked from afar through a machine kept where the claim says.
    RemoteOperator = 4,
    /// An outsider took over the worker.
    Takeover = 5,
    /// Review ended without an answer.
    Undecided = 6,
}

/// How a label is known, from strongest to weakest. Numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum LabelSource {
    /// Seized equipment, confession or court record.
    Legal = 1,
    /// An investigator's finding.
    Investigation = 2,
    /// An in-person or live video check.
    IdentityCheck = 3,
    /// An analyst's judgement from the same signals; never used to evaluate the model.
    Analyst = 4,
    /// The user's own word.
    SelfReport = 5,
}

/// What a label is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// One event, by its id.
    Event(String),
    /// One session, by its id.
    Session(String),
    /// A worker over a span.
    Worker {
        /// The worker.
        worker_id: String,
        /// Start of the span; open when absent.
        start_time: Option<EventTime>,
        /// End of the span; open when absent.
        end_time: Option<EventTime>,
    },
}

impl Subject {
    /// Whether a label on one replaces a label on the other: the same event or session, or the same worker from the
    /// same start on. The end may differ, since that is how an open span is closed.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Worker { worker_id, start_time, .. },
                Self::Worker { worker_id: other_id, start_time: other_start, .. },
            ) => worker_id == other_id && start_time == other_start,
            (one, other) => one == other,
        }
    }
}

/// Feedback as it came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FeedbackUnchecked {
    /// Names the entry.
    pub feedback_id: String,
    /// What it is about. The span of a worker stands in `start_time` and `end_time`.
    pub subject: Option<Subject>,
    /// Number of the label.
    pub label: i32,
    /// Number of the source.
    pub source: i32,
    /// Start of the span.
    pub start_time: Option<TimestampUnchecked>,
    /// End of the span.
    pub end_time: Option<TimestampUnchecked>,
    /// When the review ended.
    pub review_time: Option<TimestampUnchecked>,
    /// Numbers of the reasons that the review explained.
    pub cleared_reasons: Vec<i32>,
}

/// Feedback, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// Names the entry.
    pub feedback_id: String,
    /// What it is about.
    pub subject: Subject,
    /// What turned out to be true.
    pub label: Label,
    /// How it is known.
    pub source: LabelSource,
    /// When the review ended; absent when not told.
    pub review_time: Option<EventTime>,
    /// Numbers of the reasons that the review explained, rising, each once.
    pub cleared_reasons: Vec<u16>,
}

const LABELS: [Label; 6] = [
    Label::Genuine,
    Label::GenuineElsewhere,
    Label::Impostor,
    Label::RemoteOperator,
    Label::Takeover,
    Label::Undecided,
];

const SOURCES: [LabelSource; 5] = [
    LabelSource::Legal,
    LabelSource::Investigation,
    LabelSource::IdentityCheck,
    LabelSource::Analyst,
    LabelSource::SelfReport,
];

impl FeedbackUnchecked {
    /// Checks every field under `path`, recording each violation in `v`. `reason_known` tells numbers of reasons.
    ///
    /// Returns the feedback when nothing was found wrong by this call.
    pub fn check(
        self,
        path: &str,
        now: EventTime,
        reason_known: impl Fn(i32) -> bool,
        v: &mut Violations,
    ) -> Option<Feedback> {
        let before = v.total();
        check_identifier(v, format_args!("{path}.feedback_id"), &self.feedback_id, true);
        let mut time = |name: &str, time: Option<TimestampUnchecked>| {
            time.and_then(|time| time.check(&format!("{path}.{name}"), v))
        };
        let start = time("start_time", self.start_time);
        let end = time("end_time", self.end_time);
        let review_time = time("review_time", self.review_time);
        if review_time.is_some_and(|time| time.micros_since(now) > limits::FUTURE_MICROS_MAX) {
            v.add(format!("{path}.review_time"), "lies in the future: send when the review ended, in UTC");
        }
        if start.zip(end).is_some_and(|(start, end)| end < start) {
            v.add(format!("{path}.end_time"), "lies before `start_time`: swap them, or leave the end open");
        }
        let mut subject = self.subject;
        match &mut subject {
            None => v.add(format!("{path}.subject"), "is required: send `event_id`, `session_id` or `worker_id`"),
            Some(Subject::Event(id)) => check_identifier(v, format_args!("{path}.event_id"), id, true),
            Some(Subject::Session(id)) => check_identifier(v, format_args!("{path}.session_id"), id, true),
            Some(Subject::Worker { worker_id, start_time, end_time }) => {
                check_identifier(v, format_args!("{path}.worker_id"), worker_id, true);
                (*start_time, *end_time) = (start, end);
            }
        }
        if matches!(subject, Some(Subject::Event(_) | Subject::Session(_))) {
            for (name, sent) in [("start_time", self.start_time), ("end_time", self.end_time)] {
                if sent.is_some() {
                    v.add(format!("{path}.{name}"), "belongs to a worker's span: leave it out, or send `worker_id`");
                }
            }
        }
        let label = LABELS.into_iter().find(|label| *label as i32 == self.label);
        if label.is_none() {
            v.add(format!("{path}.label"), "is unspecified or unknown: send a LABEL of this version");
        }
        let source = SOURCES.into_iter().find(|source| *source as i32 == self.source);
        if source.is_none() {
            v.add(format!("{path}.source"), "is unspecified or unknown: send a LABEL_SOURCE of this version");
        }
        if self.cleared_reasons.len() > limits::CLEARED_REASONS_MAX {
            let (count, most) = (self.cleared_reasons.len(), limits::CLEARED_REASONS_MAX);
            v.add(format!("{path}.cleared_reasons"), format!("has {count} entries: at most {most}"));
        }
        let mut cleared_reasons = Vec::new();
        for (index, number) in self.cleared_reasons.iter().take(limits::CLEARED_REASONS_MAX).enumerate() {
            match u16::try_from(*number).ok().filter(|_| reason_known(*number)) {
                Some(number) => cleared_reasons.push(number),
                None => {
                    let told = format!("is {number}, which is no reason of this version: send a REASON_CODE");
                    v.add(format!("{path}.cleared_reasons[{index}]"), told);
                }
            }
        }
        cleared_reasons.sort_unstable();
        cleared_reasons.dedup();
        if v.total() != before {
            return None;
        }
        Some(Feedback {
            feedback_id: self.feedback_id,
            subject: subject?,
            label: label?,
            source: source?,
            review_time,
            cleared_reasons,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> FeedbackUnchecked {
        FeedbackUnchecked {
            feedback_id: "f-1".into(),
            subject: Some(Subject::Event("e-1".into())),
            label: 1,
            source: 3,
            cleared_reasons: vec![302, 100, 302],
            ..Default::default()
        }
    }

    fn fields(feedback: FeedbackUnchecked) -> Vec<String> {
        let mut violations = Violations::default();
        let checked = feedback.check("feedback", EventTime(0), |number| [100, 302].contains(&number), &mut violations);
        assert_eq!(checked.is_none(), !violations.none());
        violations.list().iter().map(|violation| violation.field.clone()).collect()
    }

    #[test]
    fn sound_feedback_names_each_reason_once() {
        let mut violations = Violations::default();
        let checked = sound().check("feedback", EventTime(0), |_| true, &mut violations);
        assert_eq!(checked.map(|feedback| feedback.cleared_reasons), Some(vec![100, 302]));
    }

    #[test]
    fn every_violation_is_named() {
        let at = |seconds| Some(TimestampUnchecked { seconds, nanos: 0 });
        assert_eq!(fields(sound()), Vec::<String>::new());
        let bad = FeedbackUnchecked {
            feedback_id: "a b".into(),
            label: 0,
            source: 9,
            start_time: at(5),
            review_time: at(3_600),
            cleared_reasons: vec![100, 999],
            ..sound()
        };
        let expected = ["feedback_id", "review_time", "start_time", "label", "source", "cleared_reasons[1]"];
        assert_eq!(fields(bad), expected.map(|field| format!("feedback.{field}")));
        assert_eq!(fields(FeedbackUnchecked { subject: None, ..sound() }), ["feedback.subject"]);
        let worker = Subject::Worker { worker_id: "w-1".into(), start_time: None, end_time: None };
        let turned = FeedbackUnchecked { subject: Some(worker), start_time: at(9), end_time: at(1), ..sound() };
        assert_eq!(fields(turned), ["feedback.end_time"]);
    }

    #[test]
    fn a_span_that_is_closed_later_is_the_same_subject() {
        let worker = |end: Option<i64>| Subject::Worker {
            worker_id: "w-1".into(),
            start_time: Some(EventTime(1)),
            end_time: end.map(EventTime),
        };
        assert!(worker(None).same(&worker(Some(9))));
        assert!(!worker(None).same(&Subject::Event("w-1".into())));
    }
}
