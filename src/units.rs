//! Physical quantities as whole numbers of a small base unit, read from and written to text with a unit.
//!
//! A quantity in a file is a string such as `"10 ns"`, `"42 fJ"`, `"0.2 V"` or `"25 uS"`. Inside the program it is an
//! integer (picoseconds, attojoules, microvolts, ...), so that sums do not depend on their order and golden files are
//! bit-exact. A value finer than the base unit is refused rather than rounded.

use crate::error::shorten;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::borrow::Cow;
use std::fmt;

/// One unit that a quantity may be written in: its symbol and how many base units it holds.
#[derive(Debug, Clone, Copy)]
pub struct Unit {
    /// Text after the number, e.g. `"ns"`.
    pub symbol: &'static str,
    /// Number of base units in one of this unit.
    pub scale: u64,
}

/// A physical quantity and its units.
#[derive(Debug)]
pub struct Quantity {
    /// Name in messages.
    pub name: &'static str,
    /// An example of a valid value, for messages and the schema.
    pub example: &'static str,
    /// The units it may be written in, smallest (the base) first.
    pub units: &'static [Unit],
}

/// Why a text is not a value of a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// The number is below 0.
    #[error("\"{found}\" is negative; expected a {quantity} of 0 or more, such as \"{example}\"")]
    Negative { found: String, quantity: &'static str, example: &'static str },
    /// The text does not start with a decimal number.
    #[error("expected a number and a unit, such as \"{example}\", found \"{found}\"")]
    NoNumber { found: String, example: &'static str },
    /// The number has no unit after it.
    #[error("the number has no unit; expected one of {expected}, such as \"{example}\"")]
    NoUnit { expected: String, example: &'static str },
    /// The unit is not one of this quantity.
    #[error("unknown {quantity} unit \"{found}\"; expected one of {expected}")]
    UnknownUnit { quantity: &'static str, found: String, expected: String, near: Option<String> },
    /// The value is finer than the base unit, or too large for 64 bits.
    #[error("\"{found}\" cannot be held: the finest step of a {quantity} is 1 {base}, the largest value {max} {base}")]
    OutOfRange { quantity: &'static str, found: String, base: &'static str, max: u64 },
}

impl UnitError {
    /// The suggested correction.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        match self {
            UnitError::UnknownUnit { near, .. } => near.as_deref(),
            _ => None,
        }
    }
}

impl Quantity {
    /// The quantity of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Quantity> {
        QUANTITIES.iter().copied().find(|quantity| quantity.name == name)
    }

    /// The quantity that a text is a value of, and its value in base units.
    #[must_use]
    pub fn of(text: &str) -> Option<(&'static Quantity, u64)> {
        QUANTITIES.iter().find_map(|quantity| Some((*quantity, quantity.parse(text).ok()?)))
    }

    /// The symbols of its units, listed.
    #[must_use]
    pub fn symbols(&self, separator: &str) -> String {
        self.units.iter().map(|unit| unit.symbol).collect::<Vec<_>>().join(separator)
    }

    /// A decimal number with a unit, turned into base units without rounding.
    ///
    /// # Errors
    /// [`UnitError`] when the text is no number, has no or another quantity's unit, or needs a finer step than the base
    /// unit.
    pub fn parse(&self, text: &str) -> Result<u64, UnitError> {
        let trimmed = text.trim();
        let split = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(trimmed.len());
        let (number, symbol) = trimmed.split_at(split);
        let number = if number.contains('_') { Cow::from(number.replace('_', "")) } else { Cow::from(number) };
        let symbol = symbol.trim();
        let points = number.bytes().filter(|byte| *byte == b'.').count();
        let behind_sign = trimmed.strip_prefix('-').map(str::trim_start);
        if behind_sign.is_some_and(|text| text.starts_with(|c: char| c.is_ascii_digit() || c == '.')) {
            return Err(UnitError::Negative { found: shorten(text), quantity: self.name, example: self.example });
        }
        if number.len() == points || points > 1 {
            return Err(UnitError::NoNumber { found: shorten(text), example: self.example });
        }
        if symbol.is_empty() {
            return Err(UnitError::NoUnit { expected: self.symbols(", "), example: self.example });
        }
        // The micro sign and the Greek letter mu are both accepted for `u`.
        let ascii = if symbol.is_ascii() {
            Cow::from(symbol)
        } else {
            Cow::from(symbol.replace(['\u{b5}', '\u{3bc}'], "u").replace('\u{b2}', "2"))
        };
        let unit = self.units.iter().find(|u| u.symbol == ascii).ok_or_else(|| UnitError::UnknownUnit {
            quantity: self.name,
            found: shorten(symbol),
            expected: self.symbols(", "),
            near: self.near(&number, &ascii),
        })?;
        let base = self.units[0];
        let out_of_range = || UnitError::OutOfRange {
            quantity: self.name,
            found: shorten(text),
            base: base.symbol,
            max: u64::MAX / base.scale,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
        let mut value: u128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            let digit = u128::from(digit - b'0');
            value = value.checked_mul(10).and_then(|v| v.checked_add(digit)).ok_or_else(out_of_range)?;
        }
        let mut scaled = value.checked_mul(u128::from(unit.scale)).ok_or_else(out_of_range)?;
        for _ in 0..fraction.len() {
            if scaled % 10 != 0 {
                return Err(out_of_range());
            }
            scaled /= 10;
        }
        u64::try_from(scaled).map_err(|_| out_of_range())
    }

    /// The unit that was meant by one in the wrong case, or by `KB` for `KiB`.
    fn near(&self, number: &str, symbol: &str) -> Option<String> {
        if let Some(unit) = self.units.iter().find(|unit| unit.symbol.eq_ignore_ascii_case(symbol)) {
            return Some(format!("did you mean \"{number} {}\"?", unit.symbol));
        }
        let unit = self.units.iter().find(|unit| unit.symbol.replace('i', "").eq_ignore_ascii_case(symbol))?;
        let Unit { symbol, scale } = unit;
        Some(format!("did you mean \"{number} {symbol}\"? 1 {symbol} is {scale} {}", self.units[0].symbol))
    }

    /// The shortest exact text: the largest unit that leaves at most three decimals.
    #[must_use]
    pub fn format(&self, value: u64) -> String {
        for unit in self.units.iter().rev() {
            let whole = value / unit.scale;
            let rest = value % unit.scale;
            if whole == 0 {
                continue;
            }
            let thousandths = u128::from(rest) * 1000;
            if thousandths % u128::from(unit.scale) == 0 {
                let fraction = (thousandths / u128::from(unit.scale)) as u64;
                if fraction == 0 {
                    return format!("{whole} {}", unit.symbol);
                }
                let decimals = format!("{fraction:03}");
                return format!("{whole}.{} {}", decimals.trim_end_matches('0'), unit.symbol);
            }
        }
        format!("{value} {}", self.units[0].symbol)
    }

    /// Its JSON Schema.
    fn schema(&self) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": format!(r"^\s*[0-9_]*\.?[0-9_]*\s*({})\s*$", self.symbols("|")),
            "examples": [self.example],
            "x-quantity": self.name,
        })
    }
}

macro_rules! quantities {
    ($($(#[$doc:meta])* $name:ident, $label:literal, $example:literal, [$($symbol:literal = $scale:literal),+];)*) => {
        /// All of them.
        pub(crate) const QUANTITIES: &[&Quantity] = &[$(&$name::QUANTITY),*];
        $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u64);

        impl $name {
            /// The quantity.
            pub const QUANTITY: Quantity =
                Quantity { name: $label, example: $example, units: &[$(Unit { symbol: $symbol, scale: $scale }),+] };

            /// Reads a number with a unit.
            ///
            /// # Errors
            /// As [`Quantity::parse`].
            pub fn parse(text: &str) -> Result<Self, UnitError> {
                Self::QUANTITY.parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&Self::QUANTITY.format(self.0))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                Self::QUANTITY.schema()
            }
        }
        )*
    };
}

quantities! {
    /// Time in picoseconds.
    Time, "time", "10 ns",
    ["ps" = 1, "ns" = 1_000, "us" = 1_000_000, "ms" = 1_000_000_000, "s" = 1_000_000_000_000];
    /// Age in milliseconds: times up to years. A year has 365 days.
    Age, "duration", "1 h",
    ["ms" = 1, "s" = 1_000, "min" = 60_000, "h" = 3_600_000, "days" = 86_400_000, "day" = 86_400_000,
     "years" = 31_536_000_000, "year" = 31_536_000_000];
    /// Frequency in hertz.
    Frequency, "frequency", "1 GHz",
    ["Hz" = 1, "kHz" = 1_000, "MHz" = 1_000_000, "GHz" = 1_000_000_000];
    /// Energy in attojoules (1e-18 J).
    Energy, "energy", "42 fJ",
    ["aJ" = 1, "fJ" = 1_000, "pJ" = 1_000_000, "nJ" = 1_000_000_000, "uJ" = 1_000_000_000_000];
    /// Power in femtowatts.
    Power, "power", "1.1 nW",
    ["fW" = 1, "pW" = 1_000, "nW" = 1_000_000, "uW" = 1_000_000_000, "mW" = 1_000_000_000_000];
    /// Area in square nanometres.
    Area, "area", "124 um2",
    ["nm2" = 1, "um2" = 1_000_000, "mm2" = 1_000_000_000_000];
    /// Voltage in microvolts.
    Voltage, "voltage", "0.2 V",
    ["uV" = 1, "mV" = 1_000, "V" = 1_000_000];
    /// Conductance in picosiemens.
    Conductance, "conductance", "25 uS",
    ["pS" = 1, "nS" = 1_000, "uS" = 1_000_000, "mS" = 1_000_000_000];
    /// Resistance in microohms.
    Resistance, "resistance", "0.35 Ohm",
    ["uOhm" = 1, "mOhm" = 1_000, "Ohm" = 1_000_000, "kOhm" = 1_000_000_000];
    /// Length in nanometres; names a technology node as well.
    Length, "length", "22 nm",
    ["nm" = 1, "um" = 1_000, "mm" = 1_000_000];
    /// Amount of data in bytes.
    Bytes, "data size", "64 KiB",
    ["B" = 1, "KiB" = 1_024, "MiB" = 1_048_576, "GiB" = 1_073_741_824];
}

impl Time {
    /// Whole clock cycles that cover this time, rounded up (0 stays 0).
    #[must_use]
    pub fn cycles(self, clock: Frequency) -> u64 {
        let picosecond_hertz = u128::from(self.0) * u128::from(clock.0);
        u64::try_from(picosecond_hertz.div_ceil(1_000_000_000_000)).unwrap_or(u64::MAX)
    }
}

/// Nanoseconds that `cycles` take at `clock`.
#[must_use]
pub fn cycles_to_ns(cycles: u64, clock: Frequency) -> f64 {
    cycles as f64 * 1e9 / clock.0 as f64
}

impl Age {
    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e3
    }
}

impl Conductance {
    /// In microsiemens.
    #[must_use]
    pub fn microsiemens(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// Attojoules as joules, for reports.
#[must_use]
pub fn attojoules_to_joules(attojoules: u128) -> f64 {
    attojoules as f64 / 1e18
}

/// Energy that `conductance` at `voltage` draws in one cycle of `clock`: V^2 G / f, rounded to the nearest attojoule.
#[must_use]
pub fn cycle_energy(voltage: Voltage, conductance: Conductance, clock: Frequency) -> Energy {
    // uV^2 * pS / Hz = 1e-12 * 1e-12 J = 1e-6 aJ
    let product = u128::from(voltage.0) * u128::from(voltage.0) * u128::from(conductance.0);
    let divisor = u128::from(clock.0) * 1_000_000;
    Energy(u64::try_from((product + divisor / 2) / divisor).unwrap_or(u64::MAX))
}

/// Energy in attojoules that `conductance` at `voltage` draws in `time`: V^2 G t, rounded to the nearest attojoule.
#[must_use]
pub fn read_energy(voltage: Voltage, conductance: Conductance, time: Time) -> Energy {
    // uV^2 * pS * ps = 1e-12 * 1e-12 * 1e-12 J = 1e-18 aJ
    let product = u128::from(voltage.0) * u128::from(voltage.0) * u128::from(conductance.0) * u128::from(time.0);
    let attojoules = (product + 500_000_000_000_000_000) / 1_000_000_000_000_000_000;
    Energy(u64::try_from(attojoules).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_exactly() {
        assert_eq!(Time::parse("10 ns").unwrap(), Time(10_000));
        assert_eq!(Time::parse("0.5ns").unwrap(), Time(500));
        assert_eq!(Energy::parse("1.667 pJ").unwrap(), Energy(1_667_000));
        assert_eq!(Conductance::parse("25 \u{b5}S").unwrap(), Conductance(25_000_000));
        assert_eq!(Area::parse("0.039 um\u{b2}").unwrap(), Area(39_000));
        assert_eq!(Bytes::parse("64 KiB").unwrap(), Bytes(65_536));
    }

    #[test]
    fn ages_reach_years() {
        assert_eq!(Age::parse("10 years").unwrap(), Age(315_360_000_000));
        assert_eq!(Age::parse("0 s").unwrap(), Age(0));
        assert_eq!([Age(1), Age(86_400_000), Age(5_400_000)].map(|age| age.to_string()), ["1 ms", "1 day", "1.5 h"]);
        assert_eq!(
            Age::parse("1 month").unwrap_err().to_string(),
            "unknown duration unit \"month\"; expected one of ms, s, min, h, days, day, years, year"
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert!(matches!(Time::parse("fast"), Err(UnitError::NoNumber { .. })));
        assert!(matches!(Time::parse("10"), Err(UnitError::NoUnit { .. })));
        assert_eq!(
            Time::parse("10 nm").unwrap_err().to_string(),
            "unknown time unit \"nm\"; expected one of ps, ns, us, ms, s"
        );
        assert!(matches!(Time::parse("0.5 ps"), Err(UnitError::OutOfRange { .. })));
        assert!(matches!(Time::parse("99999999999 s"), Err(UnitError::OutOfRange { .. })));
        assert!(matches!(Time::parse("-1 ns"), Err(UnitError::Negative { .. })));
        assert!(matches!(Time::parse("- ns"), Err(UnitError::NoNumber { .. })));
    }

    #[test]
    fn text_goes_round() {
        for value in [0, 1, 999, 1_000, 1_500, 1_234_567, 10_000_000, 16_500, u64::MAX] {
            assert_eq!(Energy::parse(&Energy(value).to_string()).unwrap(), Energy(value));
        }
        assert_eq!(Time(0).to_string(), "0 ps");
        assert_eq!(Time(10_000).to_string(), "10 ns");
        assert_eq!(Energy(1_667_000).to_string(), "1.667 pJ");
        assert_eq!(Bytes(65_536).to_string(), "64 KiB");
    }

    #[test]
    fn cycles_round_up() {
        let clock = Frequency(1_200_000_000);
        assert_eq!(Time(0).cycles(clock), 0);
        assert_eq!(Time(1).cycles(clock), 1);
        assert_eq!(Time(833).cycles(clock), 1);
        assert_eq!(Time(834).cycles(clock), 2);
        assert_eq!(Time(10_000).cycles(clock), 12);
    }

    #[test]
    fn read_energy_is_v_squared_g_t() {
        // 0.2 V, 25 uS, 10 ns: 0.04 * 25e-6 * 1e-8 J = 1e-14 J = 10 fJ
        assert_eq!(read_energy(Voltage(200_000), Conductance(25_000_000), Time(10_000)), Energy(10_000));
    }
}
