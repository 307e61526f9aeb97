//! Numbers with units for people: four significant digits and an SI prefix.

const PREFIXES: [(f64, &str); 11] = [
    (1e15, "P"),
    (1e12, "T"),
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
    (1e-6, "u"),
    (1e-9, "n"),
    (1e-12, "p"),
    (1e-15, "f"),
];

/// The prefix that leaves `value` at 1 or more: its factor and symbol; that of 1 for 0.
#[must_use]
pub fn prefix(value: f64) -> (f64, &'static str) {
    let size = value.abs();
    if size == 0.0 || !size.is_finite() {
        return (1.0, "");
    }
    // What rounds to 1000 of a prefix is written as 1 of the next.
    let fits = PREFIXES.iter().find(|(factor, _)| size >= factor * 0.99995);
    *fits.unwrap_or(&PREFIXES[PREFIXES.len() - 1])
}

/// `value` in units of `symbol`, e.g. `1.234 uJ`.
#[must_use]
pub fn si(value: f64, symbol: &str) -> String {
    let (factor, prefix) = prefix(value);
    format!("{} {prefix}{symbol}", significant(value / factor))
}

/// Four significant digits, or all digits before the point in groups; no exponent.
#[must_use]
pub fn significant(value: f64) -> String {
    let size = value.abs();
    if (999.95..1e18).contains(&size) {
        return grouped(value.round() as i64);
    }
    let decimals = match size {
        _ if size == 0.0 => 0,
        _ if size >= 99.995 => 1,
        _ if size >= 9.9995 => 2,
        _ if size >= 0.99995 => 3,
        _ => 4,
    };
    format!("{value:.decimals$}")
}

/// An area: `um2` below 0.01 mm2.
#[must_use]
pub fn square_millimetres(value: f64) -> String {
    if value >= 0.01 { format!("{} mm2", significant(value)) } else { format!("{} um2", significant(value * 1e6)) }
}

/// A share as a percentage with one decimal; `< 0.1 %` for what would look like nothing.
#[must_use]
pub fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.0005 { "< 0.1 %".to_owned() } else { format!("{:.1} %", share * 100.0) }
}

/// A whole number with a blank between groups of three digits.
#[must_use]
pub fn grouped(value: impl Into<i128>) -> String {
    let value = value.into();
    let digits = value.unsigned_abs().to_string();
    let mut text = if value < 0 { "-".to_owned() } else { String::new() };
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_and_a_prefix() {
        assert_eq!(si(1.2344e-6, "J"), "1.234 uJ");
        assert_eq!(si(0.0, "J"), "0 J");
        assert_eq!(si(999.96e-9, "s"), "1.000 us");
        assert_eq!(si(12_345.0, "OPS"), "12.35 kOPS");
        assert_eq!(si(1e-18, "J"), "0.0010 fJ");
        assert_eq!(significant(123.45), "123.5");
        assert_eq!(significant(-12_345.6), "-12 346");
        assert_eq!(square_millimetres(0.0039), "3 900 um2");
        assert_eq!(square_millimetres(1.5), "1.500 mm2");
        assert_eq!(percent(0.00001), "< 0.1 %");
        assert_eq!(percent(0.1234), "12.3 %");
        assert_eq!(grouped(1_234_567_u64), "1 234 567");
        assert_eq!(grouped(-12_i64), "-12");
    }
}
