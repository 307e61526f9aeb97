//! Pictures onto backends of plotters.

use crate::error::Error;
use crate::plot::picture::{Anchor, Colour, Mark, Picture};
use crate::plot::text::{for_each_pixel, text_width};
use plotters::coord::Shift;
use plotters::prelude::{
    BitMapBackend, DrawingArea, DrawingBackend, IntoDrawingArea, PathElement, Rectangle, SVGBackend, Text, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, RGBColor, TextStyle};

/// Pixels of a PNG for each point of the picture.
const PIXELS: f64 = 2.0;
/// plotters writes an em of a 1.24th of the size that it is given.
const PLOTTERS_EM: f64 = 1.24;

/// How text is drawn: by the viewer of an SVG, or pixel by pixel in [`crate::plot::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letters {
    ByViewer,
    ByPixel,
}

/// The picture as SVG.
///
/// # Errors
/// Returns [`Error::Internal`] if plotters refuses to draw.
pub fn svg(picture: &Picture) -> Result<String, Error> {
    let mut text = String::new();
    paint(SVGBackend::with_string(&mut text, size(picture, 1.0)), picture, 1.0, Letters::ByViewer)?;
    Ok(text)
}

/// The picture as PNG, with twice the pixels of the SVG in each direction.
///
/// # Errors
/// Returns [`Error::Internal`] if plotters or the encoder refuses.
pub fn png(picture: &Picture) -> Result<Vec<u8>, Error> {
    let (width, height) = size(picture, PIXELS);
    let mut pixels = vec![0; width as usize * height as usize * 3];
    paint(BitMapBackend::with_buffer(&mut pixels, (width, height)), picture, PIXELS, Letters::ByPixel)?;
    let refused = |error: png::EncodingError| Error::Internal(format!("a picture could not be encoded: {error}"));
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(refused)?;
    writer.write_image_data(&pixels).map_err(refused)?;
    writer.finish().map_err(refused)?;
    Ok(bytes)
}

fn size(picture: &Picture, scale: f64) -> (u32, u32) {
    ((picture.width * scale).ceil() as u32, (picture.height * scale).ceil() as u32)
}

/// Draws the shapes at `scale` pixels a point.
fn paint<B: DrawingBackend>(backend: B, picture: &Picture, scale: f64, letters: Letters) -> Result<(), Error> {
    super::init();
    let area = backend.into_drawing_area();
    let draw = || {
        area.fill(&WHITE)?;
        picture.shapes.iter().try_for_each(|shape| put(&area, shape, scale, letters))?;
        area.present()
    };
    draw().map_err(|error| Error::Internal(format!("a picture could not be drawn: {error}")))
}

type Drawn<B> = Result<(), plotters::drawing::DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

fn put<B: DrawingBackend>(area: &DrawingArea<B, Shift>, shape: &Mark, scale: f64, letters: Letters) -> Drawn<B> {
    let at = |x: f64, y: f64| ((x * scale).round() as i32, (y * scale).round() as i32);
    match shape {
        Mark::Rectangle { x, y, width, height, fill } => {
            let (left, top) = at(*x, *y);
            let (right, bottom) = at(x + width, y + height);
            // Every shape is visible, however thin.
            let far = (right.max(left + 1), bottom.max(top + 1));
            area.draw(&Rectangle::new([(left, top), far], rgb(*fill).filled()))
        }
        Mark::Line { from, to, colour } => {
            let style = rgb(*colour).stroke_width(scale as u32);
            area.draw(&PathElement::new(vec![at(from.0, from.1), at(to.0, to.1)], style))
        }
        Mark::Text { x, y, text, size, bold, anchor, colour } if letters == Letters::ByViewer => {
            let horizontal = match anchor {
                Anchor::Start => HPos::Left,
                Anchor::Middle => HPos::Center,
                Anchor::End => HPos::Right,
            };
            let style = if *bold { FontStyle::Bold } else { FontStyle::Normal };
            let font = ("sans-serif", size * scale * PLOTTERS_EM, style).into_font();
            let colour = rgb(*colour);
            let style = TextStyle::from(font).color(&colour).pos(Pos::new(horizontal, VPos::Center));
            area.draw(&Text::new(text.as_str(), at(*x, *y), style))
        }
        Mark::Text { x, y, text, size, bold, anchor, colour } => {
            let width = text_width(text, *size, *bold);
            let left = match anchor {
                Anchor::Start => *x,
                Anchor::Middle => x - width / 2.0,
                Anchor::End => x - width,
            };
            let mut drawn = Ok(());
            for_each_pixel(text, size * scale, *bold, left * scale, y * scale, |x, y, covered| {
                if drawn.is_ok() {
                    drawn = area.draw_pixel((x, y), &rgb(*colour).mix(covered));
                }
            });
            drawn
        }
    }
}

fn rgb(colour: Colour) -> RGBColor {
    RGBColor(colour[0], colour[1], colour[2])
}
