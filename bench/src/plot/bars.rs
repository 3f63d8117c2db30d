//! Bars in groups: the same few things compared at several places.

use super::{Anchor, BOTTOM, Canvas, HEIGHT, LEFT, RIGHT, WIDTH, colour, short};

/// Bars beside each other, one group for each label.
#[derive(Debug)]
pub(crate) struct Bars<'a> {
    pub(crate) title: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) groups: Vec<String>,
    /// A name and a value for each group.
    pub(crate) series: Vec<(&'a str, Vec<f64>)>,
}

impl Bars<'_> {
    #[expect(clippy::cast_precision_loss, reason = "a handful of bars")]
    pub(crate) fn svg(&self) -> String {
        let values = self.series.iter().flat_map(|(_, values)| values);
        let mut canvas = Canvas::new(self.title, self.unit, values.copied().fold(0.0, f64::max));
        let names: Vec<&str> = self.series.iter().map(|(name, _)| *name).collect();
        canvas.legend(&names);
        let group_width = (WIDTH - LEFT - RIGHT) / self.groups.len().max(1) as f64;
        let width = group_width * 0.8 / self.series.len().max(1) as f64;
        for (group, label) in self.groups.iter().enumerate() {
            let from = LEFT + group_width * (group as f64 + 0.1);
            for (place, (_, values)) in self.series.iter().enumerate() {
                let Some(value) = values.get(group) else {
                    continue;
                };
                let x = from + width * place as f64;
                canvas.bar(x, width * 0.94, *value, colour(place));
                let above = canvas.y(*value) - 4.0;
                canvas.text(x + width / 2.0, above, Anchor::Middle, &short(*value));
            }
            let middle = from + group_width * 0.4;
            canvas.text(middle, HEIGHT - BOTTOM + 18.0, Anchor::Middle, label);
        }
        canvas.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_bar_for_every_value_and_a_label_for_every_group() {
        let bars = Bars {
            title: "Rate",
            unit: "requests/s",
            groups: vec!["64".to_owned(), "500".to_owned()],
            series: vec![("nginx", vec![10.0, 20.0]), ("corkboard", vec![5.0])],
        };
        let svg = bars.svg();
        // The background, two squares of the legend, three bars.
        assert_eq!(svg.matches("<rect").count(), 1 + 2 + 3);
        assert!(svg.contains(">64</text>") && svg.contains(">500</text>"));
    }

    #[test]
    fn nothing_to_draw_is_still_a_drawing() {
        let bars = Bars {
            title: "t",
            unit: "u",
            groups: Vec::new(),
            series: Vec::new(),
        };
        assert!(bars.svg().ends_with("</svg>\n"));
    }
}
