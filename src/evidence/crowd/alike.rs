//! What it weighs that another worker types alike: the hand's own ratio, less what looking for it cost.
//!
//! A ratio of 8 nats is much between two workers who were brought together by something else, and little for the most
//! alike of 100,000. So a pair that was searched for pays the logarithm of how many it was searched among; one that
//! shares a token was not searched for, and its typing tells instead whether one pair of hands or two share the place.
//! What brought them together has to be rare for that: a monitor's identity that every piece of its model shows, or an
//! agency of dozens, leaves most of the search to be paid ([`meeting_cost`]).
//!
//! Worked example. Among 1,000 workers two type alike at 12 nats. Searched for: 12 - ln(1,000 / .002) - (-2.94) = 1.82
//! nats beside the tokens' prior of 5 %, a probability of .25. Behind one gateway: ln(.5 e^12 + .5) = 11.3. Of three who
//! show one display and share nothing else: 11.3 - ln(2 / .1) = 8.3. A couple sharing a home, at -6: ln(.5 e^-6 + .5) =
//! -.69, since a site may have more than one pair of hands.

use super::LinkKind;

/// Other workers of a tenant behind whom a worker's own typist stands too, as expected before anything is seen: one
/// worker in a thousand is a persona (the base rate of the model), and a persona has two others. A prior by judgement.
const PARTNERS_EXPECTED: f64 = 0.002;

/// Log-odds that two workers who share a token are operated together: 5 %. What is weighed here and by linkage adds to it.
pub const SHARING_PRIOR_LOG_ODDS: f64 = -2.944_438_979_166_440_3;

/// Share of the operated sites at which two given workers are typed for by the same hands. Half by judgement: farms are
/// run by one operator with several personas as often as by several operators.
const SAME_HANDS_SHARE: f64 = 0.5;

/// Of pairs that share what strangers often share too (a display's identity, an agency) and nothing else, the share that
/// are what pairs behind one gateway are: a tenth, by judgement. Capture cards and cheap monitors of one model show one
/// identity all over the world, and laptops of one farm share more than a display.
const COMMON_THING_SHARE: f64 = 0.1;

/// Workers behind one address, gateway or machine up to which it may be a household's.
const HOUSEHOLD_WORKER_COUNT: f64 = 12.0;

/// What it costs, nats, that two workers were met through a thing they share: 0 for what only a household shares, more
/// the more workers have it. `None` where it brings nobody together: likeness and shifts, and a single freeze in common.
///
/// # Arguments
/// * `worker_count`: workers seen with the thing, both included.
/// * `shared_count`: how many things of the kind the two share.
pub fn meeting_cost(kind: LinkKind, worker_count: u32, shared_count: u32) -> Option<f64> {
    let others = f64::from(worker_count.saturating_sub(1).max(1));
    match kind {
        LinkKind::Typing | LinkKind::Shift => None,
        LinkKind::Relay if shared_count < 2 => None,
        LinkKind::Display | LinkKind::Intermediary => Some((others / COMMON_THING_SHARE).ln()),
        _ => Some((f64::from(worker_count) / HOUSEHOLD_WORKER_COUNT).ln().max(0.0)),
    }
}

/// Another worker who types alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alike {
    /// Log-likelihood ratio, nats, of "one typist" against "two".
    pub log_ratio: f64,
    /// What being met through the tokens they share costs, nats ([`meeting_cost`]); `None` where they share none.
    pub meeting_cost: Option<f64>,
}

impl Alike {
    /// What it weighs, nats, beside [`SHARING_PRIOR_LOG_ODDS`]; `compared_count` is how many hands of the tenant it was
    /// searched among.
    pub fn weight_log_odds(self, compared_count: usize) -> f64 {
        let searched = searched(self.log_ratio, compared_count);
        match self.meeting_cost {
            // Sharing something never makes a pair cost more than looking for it, nor likeness speak for two pairs of hands.
            Some(cost) if self.log_ratio > 0.0 => (beside_token(self.log_ratio) - cost).max(searched).max(0.0),
            Some(_) => beside_token(self.log_ratio),
            None => searched,
        }
    }
}

/// The weight of a pair that nothing but typing brought together.
fn searched(log_ratio: f64, compared_count: usize) -> f64 {
    log_ratio - (compared_count.max(1) as f64 / PARTNERS_EXPECTED).ln() - SHARING_PRIOR_LOG_ODDS
}

/// The weight of a ratio beside a token: never under `ln(1 - share)`, since two operators may share a site.
fn beside_token(log_ratio: f64) -> f64 {
    let (share, rest) = (SAME_HANDS_SHARE, 1.0 - SAME_HANDS_SHARE);
    if log_ratio > 0.0 {
        log_ratio + (share + rest * (-log_ratio).exp()).ln()
    } else {
        (share * log_ratio.exp() + rest).ln()
    }
}

/// Workers of `compared_count` who type at least this alike by chance alone, as expected: a true ratio of `r` nats is
/// reached by at most `e^-r` of strangers.
pub fn chance_count(log_ratio: f64, compared_count: usize) -> f64 {
    compared_count as f64 * (-log_ratio).exp().min(1.0)
}

/// Probability, in \[0, 1\], that one typist stands behind a pair that was searched for among `compared_count`.
pub fn searched_probability(log_ratio: f64, compared_count: usize) -> f64 {
    let log_odds = searched(log_ratio, compared_count) + SHARING_PRIOR_LOG_ODDS;
    1.0 / (1.0 + (-log_odds).exp())
}

/// Ratio, nats, from which a pair is worth noting: it weighs something where it was searched for, or half a nat beside a
/// token.
pub fn worth_noting(alike: Alike, compared_count: usize) -> bool {
    alike.weight_log_odds(compared_count) >= if alike.meeting_cost.is_some() { NOTED_BESIDE_TOKEN } else { 0.0 }
}

/// Nats beside a token under which a pair is not worth a note: a likeness of .8 nats, which one in three strangers has.
const NOTED_BESIDE_TOKEN: f64 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(log_ratio: f64, beside_token: bool, among: usize) -> f64 {
        let meeting_cost = beside_token.then_some(0.0);
        Alike { log_ratio, meeting_cost }.weight_log_odds(among)
    }

    fn met(log_ratio: f64, kind: LinkKind, worker_count: u32) -> f64 {
        Alike { log_ratio, meeting_cost: meeting_cost(kind, worker_count, 2) }.weight_log_odds(1_000)
    }

    #[test]
    fn the_worked_example_holds() {
        assert!((weight(12.0, false, 1_000) - 1.822).abs() < 1e-3);
        assert!((searched_probability(12.0, 1_000) - 0.246).abs() < 1e-3);
        assert!((weight(12.0, true, 1_000) - 11.307).abs() < 1e-3);
        assert!((weight(-6.0, true, 1_000) + 0.6907).abs() < 1e-3);
    }

    #[test]
    fn ten_times_the_workers_cost_a_searched_pair_ln_ten_and_a_pair_at_one_site_nothing() {
        assert!((weight(12.0, false, 1_000) - weight(12.0, false, 10_000) - 10.0_f64.ln()).abs() < 1e-12);
        assert_eq!(weight(12.0, true, 1_000), weight(12.0, true, 10_000));
        assert!((chance_count(5.0, 1_000) - 6.738).abs() < 1e-3);
    }

    #[test]
    fn a_display_alone_pays_for_how_many_show_it_and_never_more_than_the_search() {
        // ln(.5 e^12 + .5) - ln(2 / .1) = 11.307 - 2.996.
        assert!((met(12.0, LinkKind::Display, 3) - 8.311).abs() < 1e-3);
        let falling: Vec<f64> = (2..64).map(|count| met(12.0, LinkKind::Display, count)).collect();
        assert!(falling.windows(2).all(|two| two[1] <= two[0]), "{falling:?}");
        assert!(falling.iter().all(|weight| *weight >= weight_searched()));
        assert_eq!(met(2.0, LinkKind::Display, 3), 0.0, "a likeness that one in seven strangers has says nothing");
    }

    fn weight_searched() -> f64 {
        weight(12.0, false, 1_000)
    }

    #[test]
    fn a_household_is_met_for_nothing_and_a_campus_is_not() {
        for kind in [LinkKind::Site, LinkKind::Address, LinkKind::Device, LinkKind::Authenticator, LinkKind::Shipping] {
            assert_eq!(meeting_cost(kind, 6, 1), Some(0.0), "{kind:?}");
        }
        assert!(meeting_cost(LinkKind::Site, 60, 1).is_some_and(|cost| (cost - 5.0_f64.ln()).abs() < 1e-12));
        assert_eq!(meeting_cost(LinkKind::Relay, 2, 1), None, "one freeze in common is an outage");
        assert_eq!(meeting_cost(LinkKind::Relay, 2, 2), Some(0.0));
    }

    #[test]
    fn a_couple_is_cleared_no_further_than_two_operators_at_one_site_allow() {
        assert!(weight(-50.0, true, 10) >= 0.5_f64.ln() && weight(0.0, true, 10).abs() < 1e-12);
    }
}
