//! Text in the embedded font: its width, and its pixels.
//!
//! plotters puts each letter at the pen without the letter's own bearing, which spaces text unevenly, so bitmaps get
//! their letters from here.

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use plotters::style::{FontStyle, register_font};
use std::sync::LazyLock;

const REGULAR: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");
const BOLD: &[u8] = include_bytes!("../../assets/DejaVuSans-Bold.ttf");

/// Regular and bold, read once.
static FONTS: LazyLock<[FontRef<'static>; 2]> =
    LazyLock::new(|| [REGULAR, BOLD].map(|font| FontRef::try_from_slice(font).expect("the embedded file is a font")));

/// Height of small letters, in ems.
const X_HEIGHT: f64 = 0.547;

/// Makes the embedded font known to plotters, which asks for it even where a viewer will draw the letters.
pub(super) fn register() {
    for (style, font) in [(FontStyle::Normal, REGULAR), (FontStyle::Bold, BOLD)] {
        // The same bytes are read as a font above, where a failure is reported.
        let _ = register_font("sans-serif", style, font);
    }
}

/// Letters of a text whose left end is at 0 and whose baseline is at 0, with its width.
fn letters(text: &str, size: f64, bold: bool) -> (Vec<Glyph>, f64) {
    let font = &FONTS[usize::from(bold)];
    // A scale of the crate is the height of a line, not of an em.
    let em = f64::from(font.units_per_em().expect("a font has units"));
    let scale = PxScale::from((size * f64::from(font.height_unscaled()) / em) as f32);
    let scaled = font.as_scaled(scale);
    let mut pen = 0.0;
    let mut before = None;
    let mut glyphs = Vec::with_capacity(text.len());
    for letter in text.chars() {
        let id = font.glyph_id(letter);
        if let Some(before) = before.replace(id) {
            pen += scaled.kern(before, id);
        }
        glyphs.push(id.with_scale_and_position(scale, point(pen, 0.0)));
        pen += scaled.h_advance(id);
    }
    (glyphs, f64::from(pen))
}

/// Width of a text.
#[must_use]
pub fn text_width(text: &str, size: f64, bold: bool) -> f64 {
    letters(text, size, bold).1
}

/// Calls `put` with each pixel of a text and how much of it is covered, 0 to 1. `x` is the left end, `y` the middle of
/// small letters.
pub fn for_each_pixel(text: &str, size: f64, bold: bool, x: f64, y: f64, mut put: impl FnMut(i32, i32, f64)) {
    let baseline = libm::round(y + size * X_HEIGHT / 2.0);
    for mut glyph in letters(text, size, bold).0 {
        glyph.position.x += x as f32;
        glyph.position.y += baseline as f32;
        if let Some(outline) = FONTS[usize::from(bold)].outline_glyph(glyph) {
            let corner = outline.px_bounds().min;
            outline.draw(|dx, dy, covered| {
                put(corner.x as i32 + dx as i32, corner.y as i32 + dy as i32, f64::from(covered.clamp(0.0, 1.0)));
            });
        }
    }
}

/// The text, cut with an ellipsis where it is wider than `width`.
#[must_use]
pub fn fitted(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size, false) <= width {
        return text.to_owned();
    }
    let mut kept = text.to_owned();
    while kept.pop().is_some() {
        let cut = format!("{}\u{2026}", kept.trim_end());
        if text_width(&cut, size, false) <= width {
            return cut;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_the_pictures_is_in_the_font() {
        for font in FONTS.iter() {
            for letter in "aZ09 .,;:()<>%/_-\u{b5}\u{b2}\u{2026}\u{3b1}\u{3a9}\u{e9}".chars() {
                assert_ne!(font.glyph_id(letter).0, 0, "{letter}");
            }
        }
    }

    #[test]
    fn wide_text_is_cut() {
        let text = "a name that is much too long";
        let cut = fitted(text, 12.0, 80.0);
        assert!(cut.ends_with('\u{2026}') && text_width(&cut, 12.0, false) <= 80.0, "{cut}");
        assert_eq!(fitted(text, 12.0, 1000.0), text);
    }

    #[test]
    fn pixels_stay_within_the_width() {
        let (mut left, mut right) = (i32::MAX, i32::MIN);
        for_each_pixel("conv1", 20.0, false, 100.0, 50.0, |x, y, _| {
            (left, right) = (left.min(x), right.max(x));
            assert!((30..=60).contains(&y));
        });
        let width = text_width("conv1", 20.0, false);
        assert!(left >= 99 && f64::from(right) <= 101.0 + width, "{left}..{right}, {width}");
    }
}
