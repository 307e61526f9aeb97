//! Colours that colour-blind people tell apart, and that neighbours in a stack keep apart when printed in grey.
//!
//! From the palettes of Okabe and Ito (2008) and of Paul Tol (2021).

use crate::plot::picture::Colour;
use crate::trace::{Action, Component};

/// Text and axes.
pub const INK: Colour = [0x22, 0x22, 0x22];
/// Subtitles and axis labels.
pub const PALE_INK: Colour = [0x66, 0x66, 0x66];
/// Lines of the grid.
pub const GRID: Colour = [0xdd, 0xdd, 0xdd];
/// Every other row.
pub const BAND: Colour = [0xf5, 0xf5, 0xf5];
/// Blue, dark and light: passes of members with even and odd numbers, for images with even numbers.
pub const BLUE: [Colour; 2] = [[0x00, 0x5a, 0x8c], [0x88, 0xcc, 0xee]];
/// Orange, dark and light: the same for images with odd numbers.
pub const ORANGE: [Colour; 2] = [[0xb0, 0x4a, 0x00], [0xf6, 0xb8, 0x5c]];

/// The colour of a component in every picture.
#[must_use]
pub const fn component(component: Component) -> Colour {
    match component {
        Component::Driver => [0x33, 0x22, 0x88],
        Component::Crossbar => [0x00, 0x72, 0xb2],
        Component::SampleHold => [0x88, 0xcc, 0xee],
        Component::Adc => [0xe6, 0x9f, 0x00],
        Component::Comparator => [0x88, 0x22, 0x55],
        Component::Generator => [0x00, 0x9e, 0x73],
        Component::Accumulator => [0xdd, 0xcc, 0x77],
        Component::Digital => [0xcc, 0x66, 0x77],
        Component::Buffer => [0x11, 0x66, 0x33],
        Component::Link => [0xee, 0x99, 0xaa],
        Component::GlobalBuffer => [0x77, 0x77, 0x22],
    }
}

/// The colour of waiting for a reason: shades of grey apart from waiting for the next unit and for room, which say that
/// something behind is too slow, and for random bits.
#[must_use]
pub const fn wait(reason: Action) -> Colour {
    match reason {
        Action::WaitOperand => [0xdd, 0xdd, 0xdd],
        Action::WaitResource => [0xcc, 0x66, 0x77],
        Action::WaitPort => [0x88, 0x22, 0x55],
        Action::WaitLink => [0xee, 0x99, 0xaa],
        Action::WaitRandom => [0x00, 0x9e, 0x73],
        Action::WaitDrained => [0xc8, 0xdc, 0xee],
        _ => PALE_INK,
    }
}

/// A paler tint of a colour: leakage beside work.
#[must_use]
pub fn pale(colour: Colour) -> Colour {
    colour.map(|channel| 0xff - (0xff - channel) / 5 * 2)
}

/// From a pale to a dark blue, for shares of 0 to 1.
#[must_use]
pub fn shade(share: f64) -> Colour {
    const ENDS: [Colour; 2] = [[0xe3, 0xf1, 0xfa], BLUE[0]];
    std::array::from_fn(|i| {
        let [pale, dark] = ENDS.map(|end| f64::from(end[i]));
        (pale + (dark - pale) * share.clamp(0.0, 1.0)).round() as u8
    })
}

/// Brightness in grey, 0 to 255 (ITU-R BT.601).
#[must_use]
pub fn grey(colour: Colour) -> f64 {
    0.299 * f64::from(colour[0]) + 0.587 * f64::from(colour[1]) + 0.114 * f64::from(colour[2])
}

/// Black or white, whichever can be read on `background`.
#[must_use]
pub fn text_on(background: Colour) -> Colour {
    if grey(background) > 140.0 { INK } else { [0xff; 3] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_differ_in_grey() {
        let stack: Vec<Colour> = Component::ALL.iter().map(|c| component(*c)).collect();
        for pair in stack.windows(2) {
            assert!((grey(pair[0]) - grey(pair[1])).abs() > 20.0, "{pair:x?}");
        }
        for pair in [BLUE, ORANGE] {
            assert!((grey(pair[0]) - grey(pair[1])).abs() > 80.0, "{pair:x?}");
        }
    }
}
