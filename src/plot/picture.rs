//! A picture as a list of shapes.

/// A colour: red, green, blue.
pub type Colour = [u8; 3];

/// Which point of a text its position is; vertically always the middle of its small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// One shape. Lengths are points of an SVG; a PNG has more pixels.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// A filled rectangle.
    Rectangle { x: f64, y: f64, width: f64, height: f64, fill: Colour },
    /// A thin line.
    Line { from: (f64, f64), to: (f64, f64), colour: Colour },
    /// A line of text; `size` is that of an em.
    Text { x: f64, y: f64, text: String, size: f64, bold: bool, anchor: Anchor, colour: Colour },
}

/// Shapes on a white page; later ones cover earlier ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Width of the page.
    pub width: f64,
    /// Height of the page.
    pub height: f64,
    /// Shapes on the page.
    pub shapes: Vec<Mark>,
}
