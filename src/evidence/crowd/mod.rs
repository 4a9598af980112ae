//! With whom: what a worker shares with other workers of the tenant that strangers rarely share.
//!
//! It sees tokens (keyed hashes made by the caller) and summaries of other workers' claims, never who they are. It
//! never excuses a place because other workers use it: that is how a farm would whitelist itself. Couples, flatmates,
//! coworking spaces and carriers are told from farms by their claims, which agree, and by their numbers.
//!
//! Worked example: a gateway token is shared with two workers who claim other cities. One kind of token, two
//! disagreeing neighbours: `site_weight[Site]` 2.2 + `ln(2)` * .5 = 2.55 nats. Had both claimed the same city: 0.

pub mod alike;
pub mod compare;
pub mod observe;
pub mod profile;

pub use alike::Alike;
pub use compare::{accepts, compare};
pub use observe::{Observation, observe};
pub use profile::Profile;

use crate::event::{Claim, Place, Token};
use serde::{Deserialize, Serialize};

/// What two workers share. Numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum LinkKind {
    /// The same machine.
    Device = 1,
    /// The same display or dummy plug.
    Display = 2,
    /// The same household address.
    Address = 3,
    /// The same typing rhythm.
    Typing = 4,
    /// Sessions that interlock like shifts.
    Shift = 5,
    /// The same local network.
    Site = 6,
    /// The same authenticator.
    Authenticator = 7,
    /// Freezes in common.
    Relay = 8,
    /// The same shipping address.
    Shipping = 9,
    /// The same agency or contractor.
    Intermediary = 10,
}

impl LinkKind {
    /// How many kinds there are.
    pub const COUNT: usize = 10;

    /// All kinds in the order of the wire.
    pub const ALL: [LinkKind; Self::COUNT] = [
        Self::Device,
        Self::Display,
        Self::Address,
        Self::Typing,
        Self::Shift,
        Self::Site,
        Self::Authenticator,
        Self::Relay,
        Self::Shipping,
        Self::Intermediary,
    ];

    /// Position in [`LinkKind::ALL`].
    pub fn index(self) -> usize {
        self as usize - 1
    }
}

/// A place, to a hundredth of a degree (1.1 km): no finer than claims are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceSummary {
    /// Hundredths of a degree north, in \[-9000, 9000\].
    pub latitude_centidegrees: i16,
    /// Hundredths of a degree east, in \[-18000, 18000\].
    pub longitude_centidegrees: i16,
    /// Radius within which the place may lie, kilometres.
    pub radius_km: u16,
}

impl PlaceSummary {
    fn unfolded(self) -> Place {
        Place {
            latitude_degrees: f64::from(self.latitude_centidegrees) / 100.0,
            longitude_degrees: f64::from(self.longitude_centidegrees) / 100.0,
            radius_km: u32::from(self.radius_km),
        }
    }
}

/// Where a worker claims to be, as little of it as tells two claims apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimSummary {
    /// CLDR region code, padded with zeros.
    pub region: [u8; 3],
    /// The part of the ISO 3166-2 code after the hyphen, padded with zeros; all zeros when not claimed.
    pub subdivision: [u8; 3],
    /// The place, when one was claimed.
    pub place: Option<PlaceSummary>,
}

impl ClaimSummary {
    /// What is kept of a claim.
    pub fn of(claim: &Claim) -> ClaimSummary {
        let part = claim.subdivision_code.split_once('-').map_or("", |(_, part)| part);
        ClaimSummary {
            region: pad(&claim.region_code),
            subdivision: pad(part),
            place: claim.place.map(|place| PlaceSummary {
                latitude_centidegrees: (place.latitude_degrees * 100.0).round() as i16,
                longitude_centidegrees: (place.longitude_degrees * 100.0).round() as i16,
                radius_km: u16::try_from(place.radius_km).unwrap_or(u16::MAX),
            }),
        }
    }

    /// Whether both claims can be true of people under one roof: places within their radii, or else equal areas.
    ///
    /// Regions that differ disagree. `None` when neither places nor subdivisions can be compared.
    pub fn agrees(&self, other: &ClaimSummary) -> Option<bool> {
        if let (Some(here), Some(there)) = (self.place, other.place) {
            let slack = f64::from(here.radius_km) + f64::from(there.radius_km) + NEIGHBOURHOOD_KM;
            return Some(here.unfolded().distance_km(&there.unfolded()) <= slack);
        }
        if self.region != other.region {
            return Some(false);
        }
        let both = self.subdivision != [0; 3] && other.subdivision != [0; 3];
        both.then_some(self.subdivision == other.subdivision)
    }
}

/// The first three bytes of a code, padded with zeros. Codes that passed the event's check have no more.
fn pad(code: &str) -> [u8; 3] {
    let mut padded = [0; 3];
    for (slot, byte) in padded.iter_mut().zip(code.bytes()) {
        *slot = byte;
    }
    padded
}

/// Distance beyond both radii within which two claims may still be one household, kilometres: a commuter belt.
const NEIGHBOURHOOD_KM: f64 = 50.0;

/// One other worker met through one token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Tells neighbours of one event apart; says nothing of who they are.
    pub ordinal: u32,
    /// What is shared.
    pub kind: LinkKind,
    /// Where the other claims to be; `None` when it claims nothing.
    pub claim: Option<ClaimSummary>,
    /// Workers this token was seen with in all, the asking one included.
    pub token_worker_count: u32,
}

/// The other workers of the tenant whom an event has to do with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Company<'a> {
    /// Those seen with its tokens.
    pub neighbours: &'a [Neighbour],
    /// Those who type like its worker, as found before the event.
    pub alike: &'a [Alike],
    /// Hands of the tenant they were found among.
    pub hand_count: usize,
}

/// Constants of the family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Nats of one disagreeing neighbour by [`LinkKind`]; 0 where a kind says nothing of a site.
    pub site_weight: [f64; LinkKind::COUNT],
    /// Share of every kind but the strongest that counts: kinds of one site come together.
    pub further_kind_share: f64,
    /// Nats per natural logarithm of the number of disagreeing neighbours.
    pub neighbour_weight: f64,
    /// Workers per token up to which a place may be a household; beyond, weights fall as this over the count.
    pub household_worker_count: f64,
    /// Nats of one other worker on the same authenticator.
    pub authenticator_weight: f64,
    /// Workers per authenticator beyond which it is a help desk's key, and says nothing.
    pub authenticator_worker_count_max: u32,
    /// Nats per stall in common beyond the first.
    pub stall_weight: f64,
    /// Most nats of any finding of this family.
    pub score_max: f64,
}

impl Parameters {
    /// Priors by judgement, from the look-alikes of each kind (scenarios B06, B12, B13 against H01, H16); the model
    /// weighs and caps the findings by what the simulated world shows.
    pub fn prior() -> Self {
        Self {
            //            device display address typing shift site authenticator relay shipping intermediary
            site_weight: [3.0, 2.4, 1.6, 0.0, 0.0, 2.2, 0.0, 0.0, 1.6, 0.0],
            further_kind_share: 0.4,
            neighbour_weight: 0.5,
            household_worker_count: 12.0,
            authenticator_weight: 2.4,
            authenticator_worker_count_max: 20,
            stall_weight: 0.8,
            score_max: 6.0,
        }
    }

    /// Says what is wrong with the constants, if anything.
    pub fn check(&self) -> Result<(), String> {
        let all = self.site_weight.iter().chain([
            &self.further_kind_share,
            &self.neighbour_weight,
            &self.household_worker_count,
            &self.authenticator_weight,
            &self.stall_weight,
            &self.score_max,
        ]);
        match all.copied().find(|value| !value.is_finite() || *value < 0.0) {
            Some(value) => Err(format!("crowd parameters must be finite and not negative, found {value}")),
            None => Ok(()),
        }
    }
}

/// A token of an event with its kind.
pub type KindToken = (LinkKind, Token);
