//! Drawings of the family's page as SVG: round trips by distance, errors of familiarity, reliability.
//!
//! Of the matrix, which may be measured but not handed on, only quantiles by region and distance are drawn.

use super::{Groups, familiarity, with_inside};
use crate::corpus::pings;
use crate::evaluate::NewScorer;
use crate::evaluate::drawing::{Album, Area, Axes, BLACK, COLOURS, Drawn, HEIGHT, axes, head};
use crate::evaluate::typing::Sides;
use crate::evaluate::typing::plots::{Slice, reliability, trade_off};
use crate::fit;
use elsewhere::evidence::network::bound::KM_PER_RTT_MS;
use elsewhere::evidence::network::round_trip::{PathClass, class_of};
use elsewhere::evidence::quantile::quantile_of_sorted;
use plotters::element::{Circle, PathElement};
use plotters::prelude::{DashedLineSeries, LineSeries};
use plotters::style::Color;
use std::path::{Path, PathBuf};

/// Kilometres of distance drawn, and in one bin; milliseconds drawn.
const KM_MAX: f64 = 14_000.0;
const BIN_KM: f64 = 1_000.0;
const MS_MAX: f64 = 360.0;
/// Pairs a bin needs to be drawn.
const BIN_PAIRS_MIN: usize = 20;

/// Draws everything into a directory, which is made when it is not there.
///
/// # Errors
/// Data that cannot be read, or a file that cannot be written.
pub fn draw(data: &Path, new_scorer: &mut NewScorer<'_>, directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut album = Album::open(directory)?;
    let regions = regions(data)?;
    album.draw("network-distance.svg", HEIGHT, &|area| distance(area, &regions))?;
    let errors = familiarity::curves(data, new_scorer)?;
    let errors: Vec<Slice> = errors.into_iter().map(|(name, groups, truth)| slice(&name, &groups, &truth)).collect();
    album.draw("network-familiarity.svg", HEIGHT, &|area| {
        trade_off(
            area,
            "Familiarity and travel: errors at one threshold for everybody",
            "Semi-real logins of users left out; attacks are invented. A stranger here is an attacker",
            &errors.iter().collect::<Vec<_>>(),
        )
    })?;
    let familiar: Vec<Slice> = familiarity::slices(data, new_scorer)?
        .into_iter()
        .map(|(name, groups)| inside(&name, &groups, familiarity::INSIDE_RATE))
        .collect();
    album.draw("network-reliability-familiarity.svg", HEIGHT, &|area| {
        reliability(
            area,
            "Is a nat a nat? Familiarity and travel",
            "Hostile: 7 of 10 attackers from elsewhere, 3 of 10 sessions just like the worker's own",
            &familiar,
        )
    })?;
    Ok(album.files())
}

/// Scores by group, of the honest and of one kind of attack.
fn slice(name: &str, groups: &Groups, attack: &str) -> Slice {
    let of = |truths: &std::collections::BTreeMap<String, Vec<f64>>, wanted: &dyn Fn(&str) -> bool| {
        truths.iter().filter(|(truth, _)| wanted(truth)).flat_map(|(_, scores)| scores).copied().collect::<Vec<f64>>()
    };
    let people = groups
        .values()
        .map(|truths| Sides {
            mated: of(truths, &|truth| truth.starts_with("legit")),
            non_mated: of(truths, &|truth| truth == attack),
        })
        .collect();
    Slice { name: name.into(), people }
}

/// Scores of all groups together, the hostile side with its share of sessions from inside.
fn inside(name: &str, groups: &Groups, share: f64) -> Slice {
    let (mut mated, mut outside) = (Vec::new(), Vec::new());
    for (truth, scores) in groups.values().flatten() {
        if truth.starts_with("legit") { mated.extend(scores) } else { outside.extend(scores) }
    }
    let non_mated = with_inside(&mated, &outside, share);
    Slice { name: name.into(), people: vec![Sides { mated, non_mated }] }
}

/// Round trips of one class: quantiles by bin of distance, and the fit.
struct Region {
    name: &'static str,
    class: PathClass,
    bins: Vec<(f64, [f64; 3])>,
}

/// Classes of [`class_of`] in the order drawn, and their names.
const NAMES: [(usize, &str); 5] =
    [(0, "United States"), (4, "Canada"), (1, "Europe"), (2, "elsewhere"), (3, "across oceans")];

fn regions(data: &Path) -> Result<Vec<Region>, String> {
    let matrix = pings::read(data)?;
    let fitted = fit::network::fit_round_trip(data)?;
    let mut by_class: Vec<Vec<(f64, f64)>> = vec![Vec::new(); fitted.classes.len()];
    for from in &matrix.servers {
        for to in &matrix.servers {
            let Some(trips) = matrix.between(from, to) else { continue };
            let km = from.place.distance_km(&to.place);
            by_class[class_of(&from.region_code, &to.place, km)].push((km, trips.min_ms));
        }
    }
    let region = |(index, name): (usize, &'static str)| {
        let mut bins = Vec::new();
        for step in 0..(KM_MAX / BIN_KM) as usize {
            let low = step as f64 * BIN_KM;
            let within = by_class[index].iter().filter(|(km, _)| (low..low + BIN_KM).contains(km));
            let mut trips: Vec<f64> = within.map(|(_, ms)| *ms).collect();
            if trips.len() < BIN_PAIRS_MIN {
                continue;
            }
            trips.sort_by(f64::total_cmp);
            let quantiles = [0.05, 0.5, 0.95].map(|share| quantile_of_sorted(&trips, share));
            bins.push((low + BIN_KM / 2.0, quantiles));
        }
        Region { name, class: fitted.classes[index], bins }
    };
    Ok(NAMES.into_iter().map(region).collect())
}

fn distance(area: &Area<'_>, regions: &[Region]) -> Drawn {
    let note =
        "197 data centers, shortest of a day: median and 5 to 95 % of pairs, fit, and (dashed) the bound of light";
    head(area, "Round trips by distance", note, regions.iter().map(|region| region.name))?;
    let named = Axes {
        names: ("kilometres of great circle", "milliseconds"),
        across: Some(&|at| format!("{at:.0}")),
        up: &|at| format!("{at:.0}"),
    };
    let mut chart = axes(area, 0.0..KM_MAX, 0.0..MS_MAX, &named)?;
    chart.draw_series(DashedLineSeries::new(
        [(0.0, 0.0), (KM_MAX, KM_MAX / KM_PER_RTT_MS)],
        6,
        4,
        BLACK.stroke_width(1),
    ))?;
    for (place, (region, colour)) in regions.iter().zip(COLOURS).enumerate() {
        // Side by side within a bin, so that bars do not hide one another.
        let aside = (place as f64 - 2.0) * BIN_KM / 12.0;
        let ends = region.bins.first().zip(region.bins.last());
        if let Some(((first, _), (last, _))) = ends {
            let fit = [*first - BIN_KM / 2.0, *last + BIN_KM / 2.0].map(|km| (km, region.class.usual_ms(km)));
            chart.draw_series(LineSeries::new(fit, colour.stroke_width(2)))?;
        }
        for (km, [low, median, high]) in &region.bins {
            let at = km + aside;
            let bar = vec![(at, *low), (at, high.min(MS_MAX))];
            chart.draw_series([PathElement::new(bar, colour.mix(0.6).stroke_width(2))])?;
            chart.draw_series([Circle::new((at, *median), 3, colour.filled())])?;
        }
    }
    Ok(())
}
