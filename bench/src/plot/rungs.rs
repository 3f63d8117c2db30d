//! Horizontal bars over a logarithmic axis: things that lie factors of a thousand apart.

use std::fmt::Write as _;

use super::{WIDTH, colour, escaped, short};

const ROW: f64 = 22.0;
const TOP: f64 = 50.0;
/// Room for names on the left, for numbers on the right.
const LEFT: f64 = 250.0;
const RIGHT: f64 = 70.0;

/// A bar for each thing; kinds have a colour each.
#[derive(Debug)]
pub(crate) struct Rungs<'a> {
    pub(crate) title: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) kinds: Vec<&'a str>,
    /// Name, value, the place of its kind.
    pub(crate) rungs: Vec<(String, f64, usize)>,
}

impl Rungs<'_> {
    #[expect(clippy::cast_precision_loss, reason = "a handful of bars")]
    pub(crate) fn svg(&self) -> String {
        let height = TOP + ROW * self.rungs.len() as f64 + 30.0;
        let bottom = height - 24.0;
        let values = || {
            self.rungs
                .iter()
                .map(|rung| rung.1)
                .filter(|value| *value > 0.0)
        };
        // Whole powers of ten around all values; a bar of the smallest is still seen.
        let least = values().fold(f64::MAX, f64::min).min(1e15).log10().floor();
        let most = values().fold(0.0, f64::max).max(1.0).log10().ceil();
        let (least, most) = (least.min(most - 1.0), most);
        let x = |value: f64| {
            let part = (value.max(f64::MIN_POSITIVE).log10() - least) / (most - least);
            LEFT + (WIDTH - LEFT - RIGHT) * part.clamp(0.0, 1.0)
        };
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"sans-serif\" font-size=\"12\" fill=\"#222222\">\n\
             <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
             <text x=\"10\" y=\"18\">{} ({}, logarithmic)</text>\n",
            escaped(self.title),
            escaped(self.unit)
        );
        let mut place = LEFT;
        for (kind, name) in self.kinds.iter().enumerate() {
            // Writing to a string cannot fail, here and below.
            let _ = writeln!(
                svg,
                "<rect x=\"{place:.1}\" y=\"26\" width=\"10\" height=\"10\" fill=\"{}\"/>\
                 <text x=\"{:.1}\" y=\"35\">{}</text>",
                colour(kind),
                place + 15.0,
                escaped(name)
            );
            place += 35.0 + 7.0 * name.chars().count() as f64;
        }
        let mut power = least;
        while power <= most {
            let at = x(10_f64.powf(power));
            let _ = writeln!(
                svg,
                "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom:.1}\" stroke=\"#dddddd\"/>\
                 <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                height - 8.0,
                short(10_f64.powf(power))
            );
            power += 1.0;
        }
        for (row, (name, value, kind)) in self.rungs.iter().enumerate() {
            let y = TOP + ROW * row as f64;
            let end = x(*value);
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
                 <rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                LEFT - 8.0,
                y + 15.0,
                escaped(name),
                y + 3.0,
                end - LEFT,
                ROW - 6.0,
                colour(*kind),
                end + 6.0,
                y + 15.0,
                short(*value)
            );
        }
        svg.push_str("</svg>\n");
        svg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(values: &[f64]) -> String {
        let rungs = values.iter().map(|value| ("<one>".to_owned(), *value, 0));
        Rungs {
            title: "t",
            unit: "u",
            kinds: vec!["k"],
            rungs: rungs.collect(),
        }
        .svg()
    }

    /// Widths of the bars, without the background and the legend.
    fn widths(svg: &str) -> Vec<f64> {
        let widths = svg.split("<rect x=\"250\"").skip(1);
        let widths = widths.filter_map(|rest| rest.split("width=\"").nth(1)?.split('"').next());
        widths.map(|width| width.parse().unwrap()).collect()
    }

    #[test]
    fn each_factor_of_ten_is_equally_long() {
        let svg = drawn(&[10.0, 100.0, 1_000.0, 10_000.0]);
        let widths = widths(&svg);
        let steps: Vec<f64> = widths.windows(2).map(|two| two[1] - two[0]).collect();
        assert_eq!(steps.len(), 3);
        assert!(
            steps.iter().all(|step| (step - steps[0]).abs() < 0.2),
            "{steps:?}"
        );
        assert!(svg.contains("&lt;one&gt;"));
    }

    #[test]
    fn nothing_and_zero_can_be_drawn() {
        for values in [&[][..], &[0.0], &[0.0, 5.0], &[1e300]] {
            let svg = drawn(values);
            assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{svg}");
            assert!(
                widths(&svg)
                    .iter()
                    .all(|width| (0.0..=440.1).contains(width))
            );
        }
    }
}
