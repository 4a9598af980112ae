//! The stories simulated people live, by the ids of the evaluation catalogue.

/// One story. Benign ones are traps for a careless detector, hostile ones are remote operators behind a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scenario {
    /// B01: one home, one laptop.
    HomeWorker,
    /// B02: a VPN or private relay, always on.
    Vpn,
    /// B03: trips of some days, the clock follows the address within two days.
    Traveller,
    /// B04: sanctioned virtual desktop, reached from home.
    SanctionedDesktop,
    /// B05: night owl, on call, new parent.
    IrregularHours,
    /// B06: a KVM switch, or a home lab with an IP-KVM, and a person at it.
    KvmSwitch,
    /// B07: satellite, tethering, rural lines.
    RuralNetwork,
    /// B08: motor impairment, undeclared.
    MotorImpairment,
    /// B09: screen reader, declared.
    ScreenReader,
    /// B11: an injury or a new keyboard on some day.
    NewKeyboard,
    /// B12: two workers in one home.
    Couple,
    /// B13: a coworking space on most days.
    Coworking,
    /// B14: moves house; the claim follows days to weeks later.
    Relocation,
    /// B16: a browser that coarsens clocks and says UTC.
    PrivacyBrowser,
    /// H01: laptops in one home, each behind an IP-KVM, operators abroad.
    KvmFarm,
    /// H02: the same by remote-control software.
    SoftwareFarm,
    /// H03: the same with spoofed USB and display identities.
    DisguisedKvm,
    /// H04: direct sign-in through domestic residential exits.
    ProxiedOperator,
    /// H10: one operator works several identities in turn.
    ManyPersonas,
    /// H12: one laptop behind a KVM; clock, hours and holidays all American.
    DisciplinedOperator,
    /// H13: one laptop behind a KVM; works the day of UTC+8 or +9.
    ShiftedOperator,
    /// H15: one person enrols, another works from some day on.
    Handover,
}

impl Scenario {
    /// How many there are.
    pub const COUNT: usize = 22;
    /// All, benign ones first.
    pub const ALL: [Scenario; Self::COUNT] = [
        Self::HomeWorker,
        Self::Vpn,
        Self::Traveller,
        Self::SanctionedDesktop,
        Self::IrregularHours,
        Self::KvmSwitch,
        Self::RuralNetwork,
        Self::MotorImpairment,
        Self::ScreenReader,
        Self::NewKeyboard,
        Self::Couple,
        Self::Coworking,
        Self::Relocation,
        Self::PrivacyBrowser,
        Self::KvmFarm,
        Self::SoftwareFarm,
        Self::DisguisedKvm,
        Self::ProxiedOperator,
        Self::ManyPersonas,
        Self::DisciplinedOperator,
        Self::ShiftedOperator,
        Self::Handover,
    ];

    /// Id in the catalogue.
    pub fn code(self) -> &'static str {
        match self {
            Self::HomeWorker => "B01",
            Self::Vpn => "B02",
            Self::Traveller => "B03",
            Self::SanctionedDesktop => "B04",
            Self::IrregularHours => "B05",
            Self::KvmSwitch => "B06",
            Self::RuralNetwork => "B07",
            Self::MotorImpairment => "B08",
            Self::ScreenReader => "B09",
            Self::NewKeyboard => "B11",
            Self::Couple => "B12",
            Self::Coworking => "B13",
            Self::Relocation => "B14",
            Self::PrivacyBrowser => "B16",
            Self::KvmFarm => "H01",
            Self::SoftwareFarm => "H02",
            Self::DisguisedKvm => "H03",
            Self::ProxiedOperator => "H04",
            Self::ManyPersonas => "H10",
            Self::DisciplinedOperator => "H12",
            Self::ShiftedOperator => "H13",
            Self::Handover => "H15",
        }
    }

    /// What to call it in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::HomeWorker => "home worker",
            Self::Vpn => "VPN user",
            Self::Traveller => "traveller",
            Self::SanctionedDesktop => "sanctioned VDI",
            Self::IrregularHours => "night owl",
            Self::KvmSwitch => "KVM switch or home lab",
            Self::RuralNetwork => "satellite or rural line",
            Self::MotorImpairment => "motor impairment",
            Self::ScreenReader => "screen reader",
            Self::NewKeyboard => "injury or new keyboard",
            Self::Couple => "couple at one address",
            Self::Coworking => "coworking space",
            Self::Relocation => "relocation",
            Self::PrivacyBrowser => "privacy browser",
            Self::KvmFarm => "laptop farm, KVM",
            Self::SoftwareFarm => "laptop farm, remote-control software",
            Self::DisguisedKvm => "laptop farm, disguised KVM",
            Self::ProxiedOperator => "proxied operator",
            Self::ManyPersonas => "one operator, several identities",
            Self::DisciplinedOperator => "disciplined operator",
            Self::ShiftedOperator => "operator on UTC+8 or +9",
            Self::Handover => "handed over after enrolment",
        }
    }

    /// Whether a remote operator stands behind the worker.
    pub fn hostile(self) -> bool {
        self.code().starts_with('H')
    }

    /// Weight in the benign mix of the catalogue; 0 for hostile ones. The mix of the catalogue sums to 1 over more
    /// scenarios than are built, so weights are renormalised over what exists.
    pub fn mix_weight(self) -> f64 {
        match self {
            Self::HomeWorker => 0.44,
            Self::Vpn => 0.10,
            Self::Traveller => 0.08,
            Self::SanctionedDesktop => 0.07,
            Self::IrregularHours | Self::KvmSwitch => 0.05,
            Self::RuralNetwork | Self::MotorImpairment => 0.03,
            Self::ScreenReader | Self::NewKeyboard | Self::Couple | Self::Coworking | Self::Relocation => 0.02,
            Self::PrivacyBrowser => 0.01,
            _ => 0.0,
        }
    }

    /// How many workers live the story together (least, most); 1 for stories of one person.
    pub(super) fn group_size(self) -> (u64, u64) {
        match self {
            Self::Couple => (2, 2),
            Self::Coworking => (3, 5),
            Self::KvmFarm | Self::SoftwareFarm | Self::DisguisedKvm => (3, 6),
            Self::ManyPersonas => (3, 4),
            _ => (1, 1),
        }
    }
}
