//! Plots as SVG, by hand: a few rectangles and lines need no library.

mod bars;
mod lines;
mod rungs;

use std::fmt::Write as _;

pub(crate) use bars::Bars;
pub(crate) use lines::Lines;
pub(crate) use rungs::Rungs;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 50.0;
/// Told apart without seeing red or green, and in print.
const COLOURS: [&str; 7] = [
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#666666",
];

/// A drawing with a title, a legend and a vertical axis from 0.
#[derive(Debug)]
struct Canvas {
    svg: String,
    top_value: f64,
}

#[derive(Debug, Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

impl Canvas {
    /// `largest` is the greatest value that will be drawn.
    fn new(title: &str, unit: &str, largest: f64) -> Self {
        let step = nice_step(largest);
        let top_value = (largest / step).ceil().max(1.0) * step;
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
        );
        let mut canvas = Self { svg, top_value };
        canvas.text(LEFT, 20.0, Anchor::Start, &format!("{title} ({unit})"));
        let mut value = 0.0;
        while value <= top_value + step / 2.0 {
            let y = canvas.y(value);
            canvas.line((LEFT, y), (WIDTH - RIGHT, y), "#dddddd");
            canvas.text(LEFT - 6.0, y + 4.0, Anchor::End, &short(value));
            value += step;
        }
        canvas
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value / self.top_value).clamp(0.0, 1.0)
    }

    fn text(&mut self, x: f64, y: f64, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        self.add(&format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#222222\">{text}</text>"));
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(&format!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>"
        ));
    }

    /// A bar from 0 up to `value`.
    fn bar(&mut self, x: f64, width: f64, value: f64, colour: &str) {
        let top = self.y(value);
        let height = HEIGHT - BOTTOM - top;
        self.add(&format!(
            "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
        ));
    }

    /// Behind what is drawn later, over the whole height.
    fn shade(&mut self, x: f64, width: f64) {
        let height = HEIGHT - TOP - BOTTOM;
        self.add(&format!(
            "<rect x=\"{x:.1}\" y=\"{TOP:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"#000000\" fill-opacity=\"0.08\"/>"
        ));
    }

    fn legend(&mut self, names: &[&str]) {
        let (mut x, mut y) = (LEFT, 28.0);
        for (place, name) in names.iter().enumerate() {
            let colour = colour(place);
            #[expect(clippy::cast_precision_loss, reason = "names are short")]
            let width = 35.0 + 7.0 * name.chars().count() as f64;
            if x + width > WIDTH && x > LEFT {
                (x, y) = (LEFT, y + 15.0);
            }
            self.add(&format!(
                "<rect x=\"{x:.1}\" y=\"{y}\" width=\"10\" height=\"10\" fill=\"{colour}\"/>"
            ));
            self.text(x + 15.0, y + 9.0, Anchor::Start, name);
            x += width;
        }
    }

    fn add(&mut self, element: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.svg, "{element}");
    }

    fn finish(mut self) -> String {
        self.svg.push_str("</svg>\n");
        self.svg
    }
}

fn colour(place: usize) -> &'static str {
    COLOURS[place % COLOURS.len()]
}

/// A round distance between grid lines: four to eight of them.
fn nice_step(largest: f64) -> f64 {
    if !largest.is_finite() || largest <= 0.0 {
        return 1.0;
    }
    let rough = largest / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0]
        .into_iter()
        .find(|factor| factor * power >= rough);
    factor.unwrap_or(10.0) * power
}

/// A number short enough for an axis.
fn short(value: f64) -> String {
    let trimmed = |number: f64| {
        let text = format!("{number:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if value >= 1_000_000.0 {
        trimmed(value / 1_000_000.0) + "M"
    } else if value >= 1_000.0 {
        trimmed(value / 1_000.0) + "k"
    } else {
        trimmed(value)
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn axis_numbers_are_short() {
        assert_eq!(
            ["0", "2.5", "10k", "1.25M"],
            [0.0, 2.5, 10_000.0, 1_250_000.0]
                .map(short)
                .each_ref()
                .map(String::as_str)
        );
    }

    #[test]
    fn names_cannot_break_out_of_the_drawing() {
        let mut canvas = Canvas::new("<b> & co", "s", 1.0);
        canvas.legend(&["</svg>"]);
        let svg = canvas.finish();
        assert!(svg.contains("&lt;b&gt; &amp; co") && svg.contains("&lt;/svg&gt;"));
        assert_eq!(svg.matches("</svg>").count(), 1);
    }

    proptest! {
        #[test]
        fn every_value_lies_on_the_canvas(largest in 1e-6..1e12_f64, part in 0.0..=1.0_f64) {
            let canvas = Canvas::new("t", "u", largest);
            let y = canvas.y(largest * part);
            prop_assert!((TOP - 0.01..=HEIGHT - BOTTOM + 0.01).contains(&y));
            let lines = canvas.svg.matches("<line").count();
            prop_assert!((3..=12).contains(&lines), "{} grid lines", lines);
        }
    }
}
