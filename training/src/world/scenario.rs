//! The stories simulated people live, by the ids of the evaluation catalogue.

macro_rules! scenarios {
    ($($variant:ident, $code:literal, $name:literal, $doc:literal;)*) => {
        /// One story. Benign ones are traps for a careless detector, hostile ones are remote operators behind a worker.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Scenario {
            $(#[doc = $code] #[doc = ": "] #[doc = $doc] $variant,)*
        }

        impl Scenario {
            /// All, benign ones first.
            pub const ALL: &'static [Scenario] = &[$(Self::$variant,)*];

            /// Id in the catalogue.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What to call it in a table.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

scenarios! {
    HomeWorker, "B01", "home worker", "one home, one laptop.";
    Vpn, "B02", "VPN user", "a VPN or private relay, always on.";
    Traveller, "B03", "traveller", "trips of some days, the clock follows the address within two days.";
    SanctionedDesktop, "B04", "sanctioned VDI", "sanctioned virtual desktop, reached from home.";
    IrregularHours, "B05", "night owl", "night owl, on call, new parent.";
    KvmSwitch, "B06", "KVM switch or home lab", "a KVM switch, or a home lab with an IP-KVM, and a person at it.";
    RuralNetwork, "B07", "satellite or rural line", "satellite, tethering, rural lines.";
    MotorImpairment, "B08", "motor impairment", "motor impairment, undeclared.";
    ScreenReader, "B09", "screen reader", "screen reader, declared.";
    InputMethod, "B10", "input method, two layouts", "an input method with candidate windows, or two layouts in turn.";
    NewKeyboard, "B11", "injury or new keyboard", "an injury or a new keyboard on some day.";
    Couple, "B12", "couple at one address", "two workers in one home.";
    Coworking, "B13", "coworking space", "a coworking space on most days.";
    Relocation, "B14", "relocation", "moves house; the claim follows days to weeks later.";
    Helped, "B15", "helped by remote control", "somebody else takes over by remote control for some minutes, one to three times a month.";
    PrivacyBrowser, "B16", "privacy browser", "a browser that coarsens clocks and says UTC.";
    Developer, "B17", "developer with macros", "pastes, snippets and macros; work in containers and over remote shells.";
    KvmFarm, "H01", "laptop farm, KVM", "laptops in one home, each behind an IP-KVM, operators abroad.";
    SoftwareFarm, "H02", "laptop farm, remote-control software", "the same by remote-control software.";
    DisguisedKvm, "H03", "laptop farm, disguised KVM", "the same with spoofed USB and display identities.";
    ProxiedOperator, "H04", "proxied operator", "direct sign-in through domestic residential exits.";
    ForeignNewHire, "H05", "foreign in the first days", "a new hire on a machine of their own behind a VPN, with a few sign-ins from abroad in the first days.";
    ReshippedLaptop, "H06", "reshipped laptop", "first starts at the address it was shipped to, then abroad behind a router that leaves at home.";
    ConstantDelay, "H07", "KVM with a playout buffer", "one laptop behind a KVM whose far end plays input out at a constant delay.";
    PastedLines, "H08", "lines sent whole", "one laptop; most text is sent by the line and typed by a machine there.";
    Jiggler, "H09", "jiggler and parallel jobs", "one laptop with a jiggler, worked at for a quarter of the time.";
    ManyPersonas, "H10", "one operator, several identities", "one operator works several identities in turn.";
    LocalAgent, "H11", "agent at the machine", "a farm whose laptops are typed at by a program there; a person abroad writes to it.";
    DisciplinedOperator, "H12", "disciplined operator", "one laptop behind a KVM; clock, hours and holidays all American.";
    ShiftedOperator, "H13", "operator on UTC+8 or +9", "one laptop behind a KVM; works the day of UTC+8 or +9.";
    SharedAccount, "H14", "account worked in shifts", "two or three operators in shifts of one long day behind one KVM.";
    Handover, "H15", "handed over after enrolment", "one person enrols, another works from some day on.";
    SpreadFarm, "H16", "farm spread over homes", "one group of operators abroad, every laptop in another home.";
    Renter, "H17", "identity rented in the country", "somebody else in the country, at the machine or near it: the blind spot.";
    WrongCountry, "H18", "laptop in a third country", "a laptop in London under an American or German claim, operators further east.";
    SlowPoison, "H19", "slowly rising lag", "one laptop behind a KVM whose lag starts small and rises by some milliseconds a day.";
    TamperedCollector, "H20", "tampered collector", "a farm laptop whose collector replays old samples, stays silent or tells of a clean machine.";
}

impl Scenario {
    /// The scenario of an id.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scenario| scenario.code() == code)
    }

    /// Whether a remote operator stands behind the worker, or, in H17, somebody else than the worker.
    pub fn hostile(self) -> bool {
        self.code().starts_with('H')
    }

    /// Workdays within which a flag counts as found: twenty, and sixty where the story is slow by nature.
    pub fn workdays_to_find(self) -> u32 {
        match self {
            Self::ShiftedOperator | Self::SlowPoison => 60,
            _ => 20,
        }
    }

    /// Whether people are protected who live it: their flag rate has the stricter bound.
    pub fn starred(self) -> bool {
        matches!(self, Self::MotorImpairment | Self::ScreenReader | Self::InputMethod)
    }

    /// Whether what gives it away is that samples are missing or repeated: the leak test leaves it out.
    pub fn about_presence(self) -> bool {
        matches!(self, Self::TamperedCollector)
    }
}
