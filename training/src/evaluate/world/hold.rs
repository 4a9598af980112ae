//! Whether a reason holds: what an event is without the samples a reason is drawn from.

use elsewhere::event::{DeviceUnchecked, EventUnchecked, NetworkUnchecked, RemoteInputUnchecked};
use elsewhere::risk::ReasonCode;

/// Whether the samples of a reason can be left out at all: silence has none.
pub fn removable(reason: ReasonCode) -> bool {
    reason != ReasonCode::TelemetrySilent
}

/// Leaves out of an event every sample that `reason` is drawn from, and nothing else.
///
/// Rhythm is drawn from the times of events, which no event can be without: instead the claim declares irregular hours,
/// as whoever explains the hours would.
pub fn remove(event: &mut EventUnchecked, reason: ReasonCode) {
    use ReasonCode as R;
    match reason {
        R::TypingDifferentTypist
        | R::TypingHandover
        | R::TypingSharedAccount
        | R::TypingSynthetic
        | R::CrowdSharedTypist => (event.typing, event.cadence) = (None, None),
        R::RemoteInputRelayedCadence => {
            (event.typing, event.cadence) = (None, None);
            if let Some(input) = &mut event.remote_input {
                input.key_repeat_interval_micros.clear();
            }
        }
        R::RemoteInputPointerRelayed => {
            event.pointer = None;
            if let Some(input) = &mut event.remote_input {
                input.pointer_interval_micros.clear();
            }
        }
        R::RemoteInputLoopDelay => {
            event.challenge = None;
            if let Some(input) = &mut event.remote_input {
                input.natural_loop_micros.clear();
                input.correction_micros.clear();
            }
        }
        R::RemoteInputDelayed => {
            if let Some(input) = &mut event.remote_input {
                input.event_delay_micros.clear();
            }
        }
        R::RemoteInputDevice => {
            if let Some(device) = &mut event.device {
                device.peripherals.clear();
                device.display_count = None;
            }
        }
        R::RemoteInputSoftware => {
            if let Some(input) = &mut event.remote_input {
                input.remote_control_programs.clear();
                (input.injected_event_count, input.remote_session_reported) = (None, None);
                input.input_path = 0;
            }
        }
        R::RemoteInputMachineMade => event.pointer = None,
        R::NetworkRelayGap => {
            if let Some(network) = &mut event.network {
                network.application_rtt_micros.clear();
            }
        }
        R::NetworkRoundTripImplausible | R::NetworkBoundBroken => {
            if let Some(network) = &mut event.network {
                network.tcp_rtt_micros.clear();
                network.anchors.clear();
            }
        }
        R::NetworkAnonymized | R::NetworkClaimMismatch | R::NetworkImplausibleTravel | R::NetworkUnfamiliar => {
            event.network = None;
        }
        R::TimezoneClaimMismatch | R::TimezoneNetworkMismatch => event.timezone = None,
        R::TimezoneActivityShifted | R::TimezoneActivityChanged | R::TimezoneCalendarElsewhere => {
            if let Some(claim) = &mut event.claim {
                claim.irregular_hours = true;
            }
        }
        R::CrowdSharedSite | R::CrowdInterlockingShifts => {
            if let Some(network) = &mut event.network {
                network.ip_token.clear();
                network.site_tokens.clear();
            }
            if let Some(device) = &mut event.device {
                device.display_token.clear();
                device.device_token.clear();
            }
            if let Some(claim) = &mut event.claim {
                claim.shipping_token.clear();
            }
        }
        R::CrowdCommonRelay => {
            if let Some(input) = &mut event.remote_input {
                input.stall_times.clear();
            }
        }
        R::CrowdSharedAuthenticator => {
            if let Some(device) = &mut event.device {
                device.authenticator_token.clear();
            }
        }
        R::TelemetryReplayed => {
            (event.typing, event.pointer, event.challenge) = (None, None, None);
        }
        R::TelemetrySilent => {}
    }
    // A sample that nothing is left of would be refused: say instead that it was not collected.
    event.remote_input = event.remote_input.take().filter(|input| *input != RemoteInputUnchecked::default());
    event.device = event.device.take().filter(|device| *device != DeviceUnchecked::default());
    event.network = event.network.take().filter(|network| *network != NetworkUnchecked::default());
}
