//! Drawings of the family's page as SVG: trade-offs by relay, gaps at the machine, beliefs in the loop, reliability.
//!
//! Drawn are recordings of simulated people and averages over many, never a person's scores.

use super::challenge::{Loops, Person, mixed_loops};
use super::{NewScorer, of_family};
use crate::convert::captures as convert;
use crate::corpus::captures::{self, Capture};
use crate::evaluate::drawing::{
    self, Album, Area, Axes, BLACK, COLOURS, Curve, Drawn, GREY, HEIGHT, SMALL, axes, head, letters, percent, thinned,
    whole_percent,
};
use crate::fit::remote_input as fit;
use crate::metrics;
use crate::request::{Scorer, Update};
use elsewhere::evidence::remote_input::challenge::{self as loops, Answers};
use plotters::element::{PathElement, Text};
use plotters::prelude::LineSeries;
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus as Random;
use std::path::{Path, PathBuf};

/// Least rate of honest windows drawn.
const RATE_LOW: f64 = 0.002;
/// Gaps drawn, milliseconds.
const GAPS: usize = 40;
/// Sessions a belief is averaged over.
const SESSIONS: usize = 400;
/// Delays drawn, milliseconds.
const DELAYS: f64 = 420.0;
/// Nats a curve of given against observed is drawn to.
const NATS: f64 = 7.0;
/// Seed of the drawings' own simulated people.
const SEED: u64 = 0x6472_6177;

/// Relays drawn as one, by what they do.
const KINDS: [(&str, &[&str]); 6] = [
    ("VNC viewers", &["xtigervnc", "x0vnc", "x11vnc", "tightvnc", "gtkvnc", "novnc"]),
    ("forwarded displays", &["sshx", "x2x", "x2go"]),
    ("Barrier", &["barrier"]),
    ("x2vnc", &["x2vnc"]),
    ("IP-KVM (model)", &["ipkvm"]),
    ("RDP, xpra (report only)", &["rdp", "xpra"]),
];

/// Draws everything into a directory, which is made when it is not there.
///
/// # Errors
/// Recordings that cannot be read, or a file that cannot be written.
pub fn draw(data: &Path, new_scorer: &mut NewScorer<'_>, directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut album = Album::open(directory)?;
    let recorded = captures::recordings()?;
    let sound: Vec<&Capture> = recorded.iter().filter(|capture| capture.pointer_sound()).collect();
    let mut scorer = new_scorer();
    let scored = scores(&sound, scorer.as_mut())?;
    let mixed = mixed_loops(&captures::captures(data)?, new_scorer)?;
    album.draw("remote-input-roc.svg", HEIGHT, &|area| trade_off(area, &scored))?;
    album.draw("remote-input-gaps.svg", HEIGHT, &|area| gaps(area, &sound))?;
    album.draw("remote-input-loop.svg", HEIGHT, &beliefs)?;
    album.draw("remote-input-reliability.svg", HEIGHT, &|area| reliability(area, &scored, &mixed))?;
    Ok(album.files())
}

/// Scores of windows of 50 moves with their recordings.
type Scored<'a> = Vec<(&'a Capture, Vec<f64>)>;

fn scores<'a>(sound: &[&'a Capture], scorer: &mut dyn Scorer) -> Result<Scored<'a>, String> {
    let mut out = Vec::with_capacity(sound.len());
    for capture in sound {
        let moves = convert::moves(&capture.pointer);
        let requests = convert::pointer_requests(&capture.condition, "drawn", &moves, false);
        let scores: Result<Vec<f64>, String> =
            requests.into_iter().map(|request| Ok(of_family(&scorer.score(request.event, Update::Never)?))).collect();
        out.push((*capture, scores?));
    }
    Ok(out)
}

fn side(scored: &Scored<'_>, of: impl Fn(&Capture) -> bool) -> Vec<f64> {
    scored.iter().filter(|(capture, _)| of(capture)).flat_map(|(_, scores)| scores.iter().copied()).collect()
}

/// Relayed windows told against honest windows told wrongly, on a logarithmic axis.
fn trade_off(area: &Area<'_>, scored: &Scored<'_>) -> Drawn {
    head(
        area,
        "Pointer transport: relayed windows told, by relay",
        "Windows of 50 moves; 44 local and 67 relayed recordings of the rig, simulated hands, real relays",
        KINDS.iter().map(|(name, _)| *name),
    )?;
    let range = RATE_LOW.log10()..0.0;
    let named =
        Axes { names: ("local windows taken for relayed", "relayed windows told"), across: None, up: &whole_percent };
    let mut chart = axes(area, range.clone(), 0.0..1.0, &named)?;
    for rate in [0.002f64, 0.01, 0.05, 0.2, 1.0] {
        let at = rate.log10();
        chart.draw_series([PathElement::new(vec![(at, 0.0), (at, 1.0)], GREY.mix(0.25).stroke_width(1))])?;
        let (across, bottom) = chart.backend_coord(&(at, 0.0));
        area.draw(&Text::new(percent(rate), (across, bottom + 6), letters(SMALL, BLACK, HPos::Center, VPos::Top)))?;
    }
    let negative = side(scored, |capture| !capture.remote);
    for ((_, protocols), colour) in KINDS.iter().zip(COLOURS) {
        let positive = side(scored, |capture| capture.remote && protocols.contains(&capture.protocol.as_str()));
        let points: Vec<(f64, f64)> = metrics::roc(&negative, &positive)
            .into_iter()
            .map(|(wrong, told)| (wrong.max(RATE_LOW).log10(), told))
            .collect();
        chart.draw_series(LineSeries::new(thinned(points, 0.01), colour.stroke_width(2)))?;
    }
    Ok(())
}

/// Shares of gaps by millisecond, of recordings without jitter or loss where there are any.
fn gaps(area: &Area<'_>, sound: &[&Capture]) -> Drawn {
    let lines: [(&str, &str); 6] = [
        ("desk, 125 Hz mouse", "local_rtt000_j00_l0_usb125_usb125"),
        ("desk, Bluetooth 11 ms", "local_rtt000_j00_l0_bt11_bt11"),
        ("TigerVNC", "xtigervnc"),
        ("noVNC", "novnc"),
        ("Barrier", "barrier"),
        ("IP-KVM (model)", "ipkvm"),
    ];
    head(
        area,
        "What arrives: gaps between moves at the machine",
        "Share of gaps up to 40 ms by millisecond; recordings of the rig, relays with and without jitter",
        lines.iter().map(|(name, _)| *name),
    )?;
    let shares = |prefix: &str| {
        let mut counts = [0.0; GAPS + 1];
        for capture in sound.iter().filter(|capture| capture.condition.starts_with(prefix)) {
            for two in capture.pointer.windows(2) {
                let gap = (two[1].millis.floor() - two[0].millis.floor()) as usize;
                if gap <= GAPS {
                    counts[gap] += 1.0;
                }
            }
        }
        let total = counts.iter().sum::<f64>().max(1.0);
        counts.map(|count| count / total)
    };
    let named =
        Axes { names: ("gap, ms", "share of gaps"), across: Some(&|gap| format!("{gap:.0}")), up: &whole_percent };
    let mut chart = axes(area, 0.0..GAPS as f64, 0.0..1.0, &named)?;
    for ((_, prefix), colour) in lines.iter().zip(COLOURS) {
        let points = shares(prefix).into_iter().enumerate().map(|(gap, share)| (gap as f64, share));
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
    }
    Ok(())
}

/// Mean beliefs in the loop's round trip, by what is true.
fn beliefs(area: &Area<'_>) -> Drawn {
    let truths = [
        ("no relay", 0.0, false),
        ("no relay, slow for good", 0.0, true),
        ("60 ms", 60.0, false),
        ("110 ms", 110.0, false),
        ("180 ms", 180.0, false),
        ("300 ms", 300.0, false),
    ];
    head(
        area,
        "What five answers make believe of the loop's round trip",
        "Mean belief over 400 simulated sessions without a past; the first cell is no relay at all",
        truths.iter().map(|(name, _, _)| *name),
    )?;
    let cells = (DELAYS / loops::CELL_MILLIS) as usize;
    let mut random = Random::seed_from_u64(SEED);
    let reactions = fit::reactions_of(SEED);
    let named = Axes {
        names: ("round trip of hand and machine, ms", "belief in at least so much"),
        across: Some(&|delay| format!("{delay:.0}")),
        up: &whole_percent,
    };
    let mut chart = axes(area, 0.0..DELAYS, 0.0..1.0, &named)?;
    for ((_, delay, slow), colour) in truths.into_iter().zip(COLOURS) {
        let mut mean = vec![0.0; cells];
        for _ in 0..SESSIONS {
            let mut person = Person::new(&mut random);
            if slow {
                person.slow_down(&mut random);
            }
            let delays: &[f64] = if delay > 0.0 { &[delay] } else { &[] };
            let answers = Answers {
                millis: person.answers(5, delays, &mut random),
                median_millis: 0.0,
                p10_millis: 0.0,
                display_millis: 0.0,
                unanswered_count: 0,
                anticipated_count: 0,
                simple: true,
            };
            let belief = loops::delay_belief(&answers, None, &reactions);
            let mut left = 1.0;
            for (slot, p) in mean.iter_mut().zip(belief) {
                *slot += left / SESSIONS as f64;
                left -= p;
            }
        }
        let points = mean.into_iter().enumerate().map(|(cell, belief)| (cell as f64 * loops::CELL_MILLIS, belief));
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
    }
    Ok(())
}

/// Nats given against nats observed, for pointers and for the loop.
fn reliability(area: &Area<'_>, scored: &Scored<'_>, mixed: &[Loops]) -> Drawn {
    let negative = side(scored, |capture| !capture.remote);
    let positive = side(scored, |capture| capture.remote && !capture.report_only);
    let mut slices = vec![("pointers, own recordings".to_string(), negative, positive)];
    slices.extend(mixed.iter().cloned());
    let curves: Vec<Curve> = slices.into_iter().map(|(name, own, strange)| Curve { name, own, strange }).collect();
    let note = "Pointers of real relays; answers of simulated people behind delays as relays have them";
    drawing::reliability(area, ("Is a nat a nat?", note, "nats given for a relay"), NATS, &curves)
}
