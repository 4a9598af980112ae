//! Checked facts of the machine and what is plugged into it.

use super::violation::Violations;
use super::{Token, limits};

/// What a peripheral declares itself to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeripheralClass {
    /// Not known.
    Unknown,
    /// A keyboard.
    Keyboard,
    /// A pointing device.
    Pointer,
    /// A display or video sink.
    Display,
    /// A video capture device.
    Capture,
    /// Mass storage.
    Storage,
    /// A network adapter.
    Network,
}

/// One attached device by its public USB identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peripheral {
    /// USB vendor identifier.
    pub vendor_id: u16,
    /// USB product identifier.
    pub product_id: u16,
    /// What it declares itself to be.
    pub class: PeripheralClass,
}

/// The machine and what is plugged into it.
///
/// INVARIANT: made by [`super::EventUnchecked::check`] only. At least one field is set.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DeviceSample {
    /// Keyed hash of the machine.
    pub device_token: Option<Token>,
    /// Keyed hash of the display's identity.
    pub display_token: Option<Token>,
    /// Attached devices.
    pub peripherals: Vec<Peripheral>,
    /// Displays attached; 0 is a finding.
    pub display_count: Option<u32>,
    /// Whether the machine is enrolled in device management.
    pub managed: Option<bool>,
    /// Keyed hash of the authenticator.
    pub authenticator_token: Option<Token>,
}

/// The machine as it came off the wire.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the proto's field of the same name")]
pub struct DeviceUnchecked {
    pub device_token: Vec<u8>,
    pub display_token: Vec<u8>,
    /// Vendor, product and class number of each.
    pub peripherals: Vec<(u32, u32, i32)>,
    pub display_count: Option<u32>,
    pub managed: Option<bool>,
    pub authenticator_token: Vec<u8>,
}

impl DeviceUnchecked {
    pub(super) fn check(self, path: &str, v: &mut Violations) -> Option<DeviceSample> {
        let before = v.total();
        if self == Self::default() {
            v.add(path, "is empty: leave it out when nothing was collected");
            return None;
        }
        let device_token = super::check_token(v, format_args!("{path}.device_token"), &self.device_token);
        let display_token = super::check_token(v, format_args!("{path}.display_token"), &self.display_token);
        let authenticator_token =
            super::check_token(v, format_args!("{path}.authenticator_token"), &self.authenticator_token);
        super::check_length(v, format_args!("{path}.peripherals"), self.peripherals.len(), limits::PERIPHERALS_MAX);
        let mut peripherals = Vec::new();
        for (index, (vendor, product, class)) in self.peripherals.iter().enumerate().take(limits::PERIPHERALS_MAX) {
            let at = format_args!("{path}.peripherals[{index}]");
            super::check_max(v, format_args!("{at}.vendor_id"), u64::from(*vendor), 0xffff);
            super::check_max(v, format_args!("{at}.product_id"), u64::from(*product), 0xffff);
            let class = match class {
                0 => PeripheralClass::Unknown,
                1 => PeripheralClass::Keyboard,
                2 => PeripheralClass::Pointer,
                3 => PeripheralClass::Display,
                4 => PeripheralClass::Capture,
                5 => PeripheralClass::Storage,
                6 => PeripheralClass::Network,
                other => {
                    super::unknown_enum(
                        v,
                        format_args!("{at}.peripheral_class"),
                        *other,
                        "a PERIPHERAL_CLASS of this version, or leave it out",
                    );
                    PeripheralClass::Unknown
                }
            };
            peripherals.push(Peripheral { vendor_id: *vendor as u16, product_id: *product as u16, class });
        }
        if let Some(count) = self.display_count {
            super::check_max(
                v,
                format_args!("{path}.display_count"),
                u64::from(count),
                u64::from(limits::DISPLAYS_MAX),
            );
        }
        if v.total() != before {
            return None;
        }
        Some(DeviceSample {
            device_token,
            display_token,
            peripherals,
            display_count: self.display_count,
            managed: self.managed,
            authenticator_token,
        })
    }
}
