//! Lines over a common horizontal axis: how something went on.

use super::{Anchor, BOTTOM, Canvas, HEIGHT, LEFT, RIGHT, WIDTH, colour, nice_step, short};

/// Points further apart than this on paper are kept; the rest would only make the file large.
const MOST_POINTS: usize = 240;

/// Several lines, each a name and its points.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    pub(crate) title: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) across: &'a str,
    pub(crate) series: Vec<(String, Vec<(f64, f64)>)>,
}

impl Lines<'_> {
    pub(crate) fn svg(&self) -> String {
        self.svg_shaded(&[])
    }

    /// With a grey ground from and to these places across.
    pub(crate) fn svg_shaded(&self, shaded: &[(f64, f64)]) -> String {
        let points = || self.series.iter().flat_map(|(_, points)| points);
        let largest = points().map(|point| point.1).fold(0.0, f64::max);
        let longest = points().map(|point| point.0).fold(0.0, f64::max);
        let mut canvas = Canvas::new(self.title, self.unit, largest);
        let names: Vec<&str> = self.series.iter().map(|(name, _)| name.as_str()).collect();
        canvas.legend(&names);
        let across = if longest > 0.0 { longest } else { 1.0 };
        let x = |value: f64| LEFT + (WIDTH - LEFT - RIGHT) * value / across;
        for (from, to) in shaded {
            let (from, to) = (x(*from), x(to.min(across)));
            canvas.shade(from, (to - from).max(0.0));
        }
        let step = nice_step(across);
        let mut tick = 0.0;
        while tick <= across + step / 1e6 {
            canvas.text(
                x(tick),
                HEIGHT - BOTTOM + 18.0,
                Anchor::Middle,
                &short(tick),
            );
            tick += step;
        }
        canvas.text(WIDTH - RIGHT, HEIGHT - 12.0, Anchor::End, self.across);
        for (place, (_, points)) in self.series.iter().enumerate() {
            let every = points.len().div_ceil(MOST_POINTS).max(1);
            let mut path = String::new();
            for (number, (across, value)) in points.iter().enumerate() {
                if number % every == 0 || number + 1 == points.len() {
                    path.push_str(&format!("{:.1},{:.1} ", x(*across), canvas.y(*value)));
                }
            }
            let colour = colour(place);
            let path = path.trim_end();
            canvas.add(&format!(
                "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
            ));
        }
        canvas.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(points: Vec<(f64, f64)>) -> String {
        let series = vec![("one".to_owned(), points)];
        Lines {
            title: "Memory",
            unit: "MiB",
            across: "seconds",
            series,
        }
        .svg()
    }

    #[test]
    fn a_long_line_is_thinned_but_keeps_its_end() {
        let svg = lines((0..10_000).map(|n| (f64::from(n), f64::from(n))).collect());
        let points = svg
            .split("points=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        assert!(points.split(' ').count() <= MOST_POINTS + 1);
        // The top of the plot on the right edge.
        assert!(points.split(' ').next_back().unwrap().starts_with("740.0,"));
    }

    #[test]
    fn what_is_shaded_ends_where_the_line_does() {
        let series = vec![("one".to_owned(), vec![(0.0, 1.0), (10.0, 1.0)])];
        let lines = Lines {
            title: "Goodput",
            unit: "requests/s",
            across: "seconds",
            series,
        };
        let svg = lines.svg_shaded(&[(5.0, 20.0)]);
        assert!(
            svg.contains("x=\"405.0\"") && svg.contains("width=\"335.0\""),
            "{svg}"
        );
    }

    #[test]
    fn a_single_point_does_not_divide_by_zero() {
        assert!(!lines(vec![(0.0, 5.0)]).contains("NaN"));
        assert!(!lines(Vec::new()).contains("NaN"));
    }
}
