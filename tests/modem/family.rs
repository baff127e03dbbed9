//! The four families of modems that the stand-in can be, and in what they differ.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// E1xx and E3xx sticks.
    Huawei,
    /// EC2x and EG2x with sound on a tty.
    Quectel,
    /// SIM7600, sound on a tty.
    Sim7600,
    /// SIM800 on a serial adapter, sound by wire.
    Sim800,
}

/// What a USB interface of a modem is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    At,
    /// A second port for commands, without unsolicited rows.
    At2,
    Pcm,
    /// Opens, and says nothing.
    Mute,
}

/// One USB interface that becomes a tty.
#[derive(Clone, Copy, Debug)]
pub struct Interface {
    pub number: u8,
    /// Class, subclass and protocol.
    pub class: (u8, u8, u8),
    pub role: Role,
}

const fn interface(number: u8, class: (u8, u8, u8), role: Role) -> Interface {
    Interface { number, class, role }
}

const VENDOR: (u8, u8, u8) = (0xFF, 0xFF, 0xFF);

impl Family {
    pub const ALL: [Self; 4] = [Self::Huawei, Self::Quectel, Self::Sim7600, Self::Sim800];

    pub const fn usb_id(self) -> (u16, u16) {
        match self {
            Self::Huawei => (0x12D1, 0x1001),
            Self::Quectel => (0x2C7C, 0x0125),
            Self::Sim7600 => (0x1E0E, 0x9001),
            Self::Sim800 => (0x1A86, 0x7523),
        }
    }

    pub const fn interfaces(self) -> &'static [Interface] {
        const HUAWEI: &[Interface] = &[
            interface(0, (0xFF, 0x01, 0x01), Role::Mute),
            interface(1, (0xFF, 0x01, 0x03), Role::Pcm),
            interface(2, (0xFF, 0x01, 0x02), Role::At),
        ];
        const QUECTEL: &[Interface] = &[
            interface(0, VENDOR, Role::Mute),
            interface(1, (0xFF, 0x00, 0x00), Role::Pcm),
            interface(2, (0xFF, 0x00, 0x00), Role::At),
            interface(3, (0xFF, 0x00, 0x00), Role::At2),
        ];
        const SIM7600: &[Interface] = &[
            interface(0, VENDOR, Role::Mute),
            interface(1, (0xFF, 0x00, 0x00), Role::Mute),
            interface(2, (0xFF, 0x00, 0x00), Role::At),
            interface(3, (0xFF, 0x00, 0x00), Role::At2),
            interface(4, (0xFF, 0x00, 0x00), Role::Pcm),
        ];
        const SIM800: &[Interface] = &[interface(0, (0xFF, 0x01, 0x02), Role::At)];
        match self {
            Self::Huawei => HUAWEI,
            Self::Quectel => QUECTEL,
            Self::Sim7600 => SIM7600,
            Self::Sim800 => SIM800,
        }
    }

    pub const fn maker(self) -> &'static str {
        match self {
            Self::Huawei => "huawei",
            Self::Quectel => "Quectel",
            Self::Sim7600 => "SIMCOM INCORPORATED",
            Self::Sim800 => "SIMCOM_Ltd",
        }
    }

    pub const fn model(self) -> &'static str {
        match self {
            Self::Huawei => "E173",
            Self::Quectel => "EC25",
            Self::Sim7600 => "SIMCOM_SIM7600E-H",
            Self::Sim800 => "SIMCOM_SIM800C",
        }
    }

    pub const fn revision(self) -> &'static str {
        match self {
            Self::Huawei => "11.126.85.00.209",
            Self::Quectel => "EC25EFAR06A06M4G",
            Self::Sim7600 => "+CGMR: LE20B04SIM7600M22",
            Self::Sim800 => "Revision:1418B05SIM800C24",
        }
    }

    /// What a command that it does not know gets.
    pub const fn unknown(self) -> &'static str {
        match self {
            Self::Huawei => "COMMAND NOT SUPPORT",
            Self::Quectel | Self::Sim7600 | Self::Sim800 => "ERROR",
        }
    }

    /// What it says after power or a reset.
    pub const fn boot(self) -> &'static [&'static str] {
        match self {
            Self::Huawei => &["^BOOT:20096657,0,0,0,6"],
            Self::Quectel => &["RDY", "+CFUN: 1", "+CPIN: READY", "+QUSIM: 1", "+QIND: SMS DONE", "+QIND: PB DONE"],
            Self::Sim7600 => &["RDY", "+CPIN: READY", "SMS DONE", "PB DONE"],
            Self::Sim800 => &["RDY", "+CFUN: 1", "+CPIN: READY", "Call Ready", "SMS Ready"],
        }
    }

    /// Whether its sound runs over a tty.
    pub const fn has_pcm(self) -> bool {
        !matches!(self, Self::Sim800)
    }
}
