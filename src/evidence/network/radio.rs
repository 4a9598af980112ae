//! Networks whose last mile goes through the air: their delay says nothing of distance, and their address nothing of
//! place.
//!
//! A satellite over the equator adds half a second, low orbits some 30 ms and a ground station a country away; an
//! aircraft's passengers leave the net where its operator has an antenna. Mobile carriers let traffic out a few cities
//! away. So round trips abstain on all of them, but for the bound of physics, which holds through the air too, and they
//! start and end no journey.

/// Autonomous systems of satellite and in-flight operators, sorted. Facts from public registries of numbers; a caller
/// that knows better says so by `CONNECTION_TYPE_SATELLITE`. Operators with landlines under the same number are left
/// out.
const SATELLITE_SYSTEMS: [u32; 29] = [
    800,     // OneWeb
    5_377,   // Marlink, ships
    6_621,   // Hughes
    7_155,   // Viasat
    11_919,  // Telesat
    14_593,  // Starlink
    19_036,  // Telesat
    22_184,  // Iridium
    22_351,  // Intelsat, aircraft among others
    25_687,  // KVH, ships
    26_243,  // Intelsat
    29_286,  // Skylogic
    30_252,  // Satcom Direct, aircraft
    31_515,  // Inmarsat
    32_806,  // MTN, ships
    33_023,  // Gogo, aircraft
    39_356,  // Avanti
    40_306,  // Viasat
    44_703,  // Thuraya
    45_700,  // Starlink in Indonesia
    54_095,  // Satcom Direct
    55_784,  // Marlink in Asia
    60_725,  // O3b
    63_062,  // Hughes
    64_294,  // Panasonic Avionics, aircraft
    135_409, // Kacific
    394_603, // Panasonic Avionics
    398_031, // Kuiper
    400_110, // Anuvu, aircraft
];

/// Whether an autonomous system is a satellite or in-flight operator's.
pub(super) fn satellite_system(number: u32) -> bool {
    SATELLITE_SYSTEMS.binary_search(&number).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_listed_is_found() {
        assert!(SATELLITE_SYSTEMS.iter().all(|number| satellite_system(*number)));
        assert!(!satellite_system(0) && !satellite_system(7_922));
    }
}
