//! Figures of cadence tables by company: how many others a tenant has, whether strangers are among them, whether their
//! tables are of several days, and what some who type to mislead do to the rest.

use super::table_slices::{STRANGERS, by_person, push};
use crate::corpus::keystroke::KeystrokeSet;
use crate::fit::typing::table::{
    Company, TablePerson, enrolled_and_probes, learned, pooled, table_people, table_trials,
};
use crate::request::Figure;
use elsewhere::evidence::typing::table::{Placed, TableParameters, TableProfile};
use std::path::Path;

/// Tables learned of everybody.
const ENROL: usize = 2;
/// Others in the tenants that are tried.
const OTHERS: [usize; 4] = [10, 40, 160, 700];
/// One in so many misleads.
const MISLEADING_ONE_IN: usize = 10;

/// Every figure of this page, on Aalto, which takes no part in any fit.
pub(super) fn evaluate(
    figures: &mut Vec<Figure>,
    data: &Path,
    shipped: &TableParameters,
    seed: u64,
) -> Result<(), String> {
    let people = table_people(data, KeystrokeSet::Aalto, 200)?;
    let everybody: Vec<&TablePerson> = people.iter().collect();
    let mut figure = |name: &str, how: &str, tried: &[&TablePerson], company: Company<'_>| {
        let trials = table_trials(tried, tried, shipped, company, (ENROL, STRANGERS));
        let description = format!("cadence tables, enrol 2 x 200 presses, probe 200; {how}");
        let name = format!("typing.table_company.{name}");
        push(figures, &name, &description, "measure", &by_person(&trials, tried.len(), shipped), seed);
    };
    figure("alone", "nobody else in the tenant", &everybody, Company::Alone);
    figure("everybody", "everybody is of one tenant, strangers too", &everybody, Company::Themselves);
    let sitting: Vec<TablePerson> =
        people.iter().map(|person| TablePerson { one_sitting: true, ..person.clone() }).collect();
    let sitting: Vec<&TablePerson> = sitting.iter().collect();
    let how = "everybody is of one tenant, and their tables, of one sitting as they are, are learned as of one day";
    figure("one_day", how, &sitting, Company::Themselves);
    // Half of the people are the tenants, the other half are tried: nobody tried is known to the tenant.
    let (tenant, tried) = everybody.split_at(everybody.len() / 2);
    let profiles: Vec<TableProfile> =
        tenant.iter().map(|person| learned(&enrolled_and_probes(person, ENROL).0, shipped)).collect();
    for others in OTHERS {
        let pool = pooled(&profiles[..others.min(profiles.len())]);
        let how = format!("{others} others in the tenant, none of whom tries");
        figure(&format!("others_{others}"), &how, tried, Company::Others(&pool));
    }
    for others in [100, 700] {
        let mut profiles = profiles[..others.min(profiles.len())].to_vec();
        profiles.extend((0..others / MISLEADING_ONE_IN).map(|_| misleading(shipped)));
        let pool = pooled(&profiles);
        let how = format!(
            "{others} others in the tenant, and a tenth as many whose typing pushes every sum as far as one worker can"
        );
        figure(&format!("misled_{others}"), &how, tried, Company::Others(&pool));
    }
    Ok(())
}

/// The profile of somebody who types to move the tenant: as far from everybody as can be, and otherwise every day.
fn misleading(parameters: &TableParameters) -> TableProfile {
    let mut profile = TableProfile::default();
    for day in 0..6 {
        let far = if day % 2 == 0 { 400.0 } else { 200.0 };
        let placed = Placed {
            basis: parameters.profile_basis(),
            coordinates: vec![far; parameters.between_variance.len()],
            remainders: (0..parameters.slots.len()).map(|slot| (slot, 0.5, 0.01)).collect(),
            row_count: 100,
        };
        profile.learn_placed(&placed, 250, parameters, day);
    }
    profile
}
