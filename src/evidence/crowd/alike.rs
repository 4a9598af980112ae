//! What it weighs that another worker types alike: the hand's own ratio, less what looking for it cost.
//!
//! A ratio of 8 nats is much between two workers who were brought together by something else, and little for the most
//! alike of 100,000. So a pair that was searched for pays the logarithm of how many it was searched among; one that
//! shares a token was not searched for, and its typing tells instead whether one pair of hands or two share the place.
//!
//! Worked example. Among 1,000 workers two type alike at 12 nats. Searched for: 12 - ln(1,000 / .002) - (-2.94) = 1.82
//! nats beside the tokens' prior of 5 %, a probability of .25. Behind one gateway: ln(.5 e^12 + .5) = 11.3. A couple
//! sharing a home, at -6: ln(.5 e^-6 + .5) = -.69, since a site may have more than one pair of hands.

/// Other workers of a tenant behind whom a worker's own typist stands too, as expected before anything is seen: one
/// worker in a thousand is a persona (the base rate of the model), and a persona has two others. A prior by judgement.
const PARTNERS_EXPECTED: f64 = 0.002;

/// Log-odds that two workers who share a token are operated together: 5 %. What is weighed here and by linkage adds to it.
pub const SHARING_PRIOR_LOG_ODDS: f64 = -2.944_438_979_166_440_3;

/// Share of the operated sites at which two given workers are typed for by the same hands. Half by judgement: farms are
/// run by one operator with several personas as often as by several operators.
const SAME_HANDS_SHARE: f64 = 0.5;

/// Another worker who types alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alike {
    /// Log-likelihood ratio, nats, of "one typist" against "two".
    pub log_ratio: f64,
    /// Whether the two share a token besides.
    pub beside_token: bool,
}

impl Alike {
    /// What it weighs, nats, beside [`SHARING_PRIOR_LOG_ODDS`]; `compared_count` is how many hands of the tenant it was
    /// searched among.
    pub fn weight_log_odds(self, compared_count: usize) -> f64 {
        if self.beside_token { beside_token(self.log_ratio) } else { searched(self.log_ratio, compared_count) }
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
    alike.weight_log_odds(compared_count) >= if alike.beside_token { NOTED_BESIDE_TOKEN } else { 0.0 }
}

/// Nats beside a token under which a pair is not worth a note: a likeness of .8 nats, which one in three strangers has.
const NOTED_BESIDE_TOKEN: f64 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(log_ratio: f64, beside_token: bool, among: usize) -> f64 {
        Alike { log_ratio, beside_token }.weight_log_odds(among)
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
    fn a_couple_is_cleared_no_further_than_two_operators_at_one_site_allow() {
        assert!(weight(-50.0, true, 10) >= 0.5_f64.ln() && weight(0.0, true, 10).abs() < 1e-12);
    }
}
