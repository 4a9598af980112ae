//! Hands in one session: a change of hands while it happens, its withdrawal when more typing denies it, and two hands
//! that take turns.
//!
//! A session keeps the sums of the hand that types now and of the one before, never samples. Its last 100 and 200
//! presses are each compared with the 300 to 600 the hand typed before them: farther back lies another text. That
//! somebody took over at one of these points is as likely as the mean of their likelihood ratios. A session is its own
//! control: keyboard, day and chair are the same on both sides.
//!
//! Worked example. After 400 presses the last 100 and 200 differ from what was before by +4 and +2 nats:
//! ln((e^4 + e^2) / 2) = +3.4. At a threshold of 3 the change is told, at the point that says most: the last 100
//! presses are the new hand's, the 300 before the former's. From then on the one is compared with the other; should
//! that fall to 0, they were one hand after all.

use super::ordered::{OrderedObservation, OrderedParameters};
use crate::event::TypingSample;

/// Presses after a change that are looked at.
///
/// Points of 50 presses were tried besides: on people left out, stitched, they cost more false alarms than they found.
pub const AFTER_PRESSES: [usize; 2] = [100, 200];
/// Fewest presses before a change.
pub const BEFORE_PRESSES_MIN: u32 = 50;
/// Presses of the new hand after which a change that they deny is withdrawn.
const WITHDRAWN_PRESSES_MIN: u32 = 150;

/// Presses after which a part of a hand is closed; of closed parts the last is kept.
const PART_PRESSES: u32 = 300;

/// The newest typing of one hand, in two parts.
#[derive(Debug, Clone)]
struct Hand {
    open: Box<OrderedObservation>,
    closed: Option<Box<OrderedObservation>>,
}

impl Hand {
    fn new(stretch: OrderedObservation) -> Self {
        Self { open: Box::new(stretch), closed: None }
    }

    /// Adds a stretch; returns whether its clock is that of the others.
    fn hear(&mut self, stretch: &OrderedObservation) -> bool {
        if self.open.timer_resolution_micros != stretch.timer_resolution_micros {
            return false;
        }
        if self.open.press_count >= PART_PRESSES {
            self.closed = Some(std::mem::replace(&mut self.open, Box::new(stretch.clone())));
            return true;
        }
        self.open.join(stretch)
    }

    fn newest(&self) -> OrderedObservation {
        let mut newest = (*self.open).clone();
        if let Some(closed) = &self.closed {
            newest.join(closed);
        }
        newest
    }
}

/// The hands of one session.
#[derive(Debug, Clone, Default)]
pub struct Hands {
    /// Who types now.
    current: Option<Hand>,
    /// Who typed before.
    former: Option<Box<OrderedObservation>>,
    /// How often the former hand came back.
    returns: u32,
    /// Presses heard of when hands were last compared, and what it gave.
    compared: u64,
    log_odds: Option<f64>,
}

/// What hands a session shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// Log-likelihood ratio of more than one hand, nats.
    pub log_odds: f64,
    /// Whether it is enough to be told.
    pub told: bool,
    /// How often the former hand came back: from the first time on two hands take turns.
    pub returns: u32,
}

/// Logarithm of the mean likelihood ratio of changes at points, nats, and the position of the likeliest; absent without
/// any.
pub fn somewhere(changes: &[Option<f64>]) -> Option<(f64, usize)> {
    let heard = || changes.iter().enumerate().filter_map(|(index, change)| change.map(|change| (change, index)));
    let (greatest, position) = heard().max_by(|a, b| a.0.total_cmp(&b.0))?;
    let sum: f64 = heard().map(|(change, _)| (change - greatest).exp()).sum();
    Some((greatest + (sum / heard().count() as f64).ln(), position))
}

impl Hands {
    /// Hears a stretch of typing. On another clock hands begin anew: they cannot be compared.
    pub fn hear(&mut self, typing: &TypingSample) {
        let Some(stretch) = OrderedObservation::of_last(typing, typing.press_interval_micros.len()) else { return };
        if !self.current.as_mut().is_some_and(|current| current.hear(&stretch)) {
            *self = Self { current: Some(Hand::new(stretch)), compared: self.compared, ..Self::default() };
        }
    }

    /// Compares the newest of `typing`, what is kept of the session, with what was before it. `presses` is what came in
    /// so far: asked again for the same, it answers the same.
    pub fn compare(
        &mut self,
        typing: Option<&TypingSample>,
        presses: u64,
        parameters: &OrderedParameters,
    ) -> Option<Shown> {
        if presses != self.compared {
            self.compared = presses;
            self.log_odds = typing.and_then(|typing| self.look(typing, parameters));
        }
        let clock = self.current.as_ref()?.open.timer_resolution_micros;
        // A change once told stays told until it is withdrawn.
        let told = self.former.is_some() || self.log_odds >= Some(parameters.handover_told(clock));
        self.log_odds.map(|log_odds| Shown { log_odds, told, returns: self.returns })
    }

    fn look(&mut self, typing: &TypingSample, parameters: &OrderedParameters) -> Option<f64> {
        let current = self.current.as_ref()?.newest();
        let clock = current.timer_resolution_micros;
        let point = |presses: usize| -> Option<(OrderedObservation, OrderedObservation, f64)> {
            if current.press_count < presses as u32 + BEFORE_PRESSES_MIN || typing.press_interval_micros.len() < presses
            {
                return None;
            }
            let after = OrderedObservation::of_last(typing, presses)?;
            let before = current.without(&after);
            let change = changed(&before, &after, parameters)?;
            Some((before, after, change))
        };
        let points = AFTER_PRESSES.map(point);
        let changes = points.each_ref().map(|point| point.as_ref().map(|(_, _, change)| *change));
        let found = somewhere(&changes);
        if let Some((log_odds, position)) = found
            && log_odds >= parameters.handover_told(clock)
            && let [(before, after, _)] = &points[position..=position].iter().flatten().collect::<Vec<_>>()[..]
        {
            self.turn(before.clone(), after.clone(), parameters);
            return Some(log_odds);
        }
        let between = self.former.as_deref().and_then(|former| changed(former, &current, parameters));
        if between.is_some_and(|between| between <= 0.0) && current.press_count >= WITHDRAWN_PRESSES_MIN {
            self.withdraw();
            return found.map(|(log_odds, _)| log_odds);
        }
        between.into_iter().chain(found.map(|(log_odds, _)| log_odds)).reduce(f64::max)
    }

    /// Another hand types since `after`: a new one, or the former's again.
    fn turn(&mut self, before: OrderedObservation, mut after: OrderedObservation, parameters: &OrderedParameters) {
        let again = self.former.take().filter(|former| {
            let nearer = |other: &OrderedObservation| changed(other, &after, parameters);
            nearer(former).zip(nearer(&before)).is_some_and(|(former, before)| former < 0.0 && former < before)
        });
        if let Some(former) = again {
            self.returns = self.returns.saturating_add(1);
            after.join(&former);
        }
        self.former = Some(Box::new(before));
        self.current = Some(Hand::new(after));
    }

    /// The two were one hand after all.
    fn withdraw(&mut self) {
        if let (Some(current), Some(former)) = (&mut self.current, self.former.take()) {
            current.closed = Some(match current.closed.take() {
                Some(mut closed) => {
                    closed.join(&former);
                    closed
                }
                None => former,
            });
        }
        self.returns = 0;
    }
}

/// Log-likelihood ratio of two hands against one, nats, calibrated; absent where no model was fitted.
pub fn changed(before: &OrderedObservation, after: &OrderedObservation, parameters: &OrderedParameters) -> Option<f64> {
    let (said_before, said_after) = (parameters.said(before)?, parameters.said(after)?);
    Some(parameters.changed(&said_before, &said_after, after.timer_resolution_micros))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::typing::sample::{free_text, ordered_parameters};

    /// A session of pieces by hands of these speeds; what it shows after each.
    fn session(percents: &[u32]) -> Vec<Option<Shown>> {
        let mut hands = Hands::default();
        let mut kept = free_text(1, 100, 0);
        let mut total = 0;
        let mut shown = Vec::new();
        for (turn, percent) in percents.iter().enumerate() {
            let piece = free_text(50, *percent, turn as u32);
            hands.hear(&piece);
            kept.press_interval_micros.extend(&piece.press_interval_micros);
            kept.dwell_micros.extend(&piece.dwell_micros);
            kept.key_classes.extend(&piece.key_classes);
            total += 50;
            shown.push(hands.compare(Some(&kept), total, &ordered_parameters()));
            assert_eq!(hands.compare(Some(&kept), total, &ordered_parameters()), *shown.last().unwrap());
        }
        shown
    }

    #[test]
    fn points_mix_as_worked_by_hand() {
        let (mixed, position) = somewhere(&[Some(4.0), Some(2.0)]).unwrap();
        assert!((mixed - ((4f64.exp() + 2f64.exp()) / 2.0).ln()).abs() < 1e-12);
        assert!((mixed - 3.4).abs() < 0.05 && position == 0);
        assert_eq!(somewhere(&[None; 3]), None);
        assert_eq!(somewhere(&[None, Some(2.0), None]), Some((2.0, 1)));
    }

    #[test]
    fn one_hand_is_told_as_one() {
        assert!(session(&[100; 30]).iter().flatten().all(|shown| !shown.told && shown.returns == 0));
    }

    #[test]
    fn a_change_of_hands_is_told_and_stays_told() {
        let shown = session(&[[100; 8], [200; 8]].concat());
        assert!(shown[..8].iter().flatten().all(|shown| !shown.told));
        let first = shown.iter().position(|shown| shown.is_some_and(|shown| shown.told)).unwrap();
        assert!((8..13).contains(&first), "{first}");
        assert!(shown[first..].iter().flatten().all(|shown| shown.told && shown.returns == 0));
    }

    #[test]
    fn two_hands_that_take_turns_are_told_as_that() {
        let turns = [[100; 8], [200; 8], [100; 8], [200; 8]].concat();
        let shown = session(&turns);
        assert_eq!(shown[15].map(|shown| shown.returns), Some(0));
        assert!(shown.last().unwrap().is_some_and(|shown| shown.told && shown.returns >= 1), "{:?}", shown.last());
    }
}
