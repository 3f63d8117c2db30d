//! The report: `report.md` with its plots, made from the results files that there are.

mod events;
mod expiry;
mod feed;
mod fetch;
mod liquid;
mod reads;
mod send;
mod spike;

use std::path::Path;

use crate::console;
use crate::events::EventRows;
use crate::expiry::ExpiryRows;
use crate::failure::{Result, While as _};
use crate::feed::FeedRows;
use crate::fetch::FetchRows;
use crate::liquid::LiquidRows;
use crate::reads::ReadRows;
use crate::results::{self, Results};
use crate::send::SendRows;
use crate::spike::Spike;

/// A table's columns; the first is text, the others are numbers.
type Row = Vec<String>;

/// Writes the report and shows its tables.
pub(crate) fn write(folder: &Path) -> Result<()> {
    let mut page = "# Measurements\n\nMade by `make bench`; how to read them is in [../README.md](../README.md). \
                    Ratios within a run are what counts: the machine is shared.\n"
        .to_owned();
    if let Some(results) = results::read::<ExpiryRows>(folder, "expiry")? {
        page.push_str(&heading("Retiring a cohort of cards", &results));
        page.push_str(&expiry::section(&results.rows, folder)?);
    }
    if let Some(results) = results::read::<ReadRows>(folder, "reads")? {
        page.push_str(&heading("Reading a user's cards from PostgreSQL", &results));
        page.push_str(&reads::section(&results.rows, folder)?);
    }
    if let Some(results) = results::read::<EventRows>(folder, "events")? {
        page.push_str(&heading("Reports of what users did", &results));
        page.push_str(&events::section(&results.rows));
    }
    if let Some(results) = results::read::<SendRows>(folder, "send")? {
        page.push_str(&heading("Launching", &results));
        page.push_str(&send::section(&results.rows, folder)?);
    }
    if let Some(results) = results::read::<FeedRows>(folder, "feed")? {
        page.push_str(&heading("Reading feeds", &results));
        page.push_str(&feed::section(&results.rows, folder)?);
    }
    if let Some(results) = results::read::<LiquidRows>(folder, "liquid")? {
        page.push_str(&heading("Rendering a card", &results));
        page.push_str(&liquid::section(&results.rows, folder)?);
    }
    if let Some(results) = results::read::<FetchRows>(folder, "fetch")? {
        page.push_str(&heading("Connected content", &results));
        page.push_str(&fetch::section(&results.rows, folder)?);
    }
    if let Some(results) = results::read::<Spike>(folder, "spike")? {
        page.push_str(&spike::section(&results, folder)?);
    }
    let path = folder.join("report.md");
    std::fs::write(&path, &page).at(&path)?;
    console::show(&page);
    console::say(&format!("written to {}", folder.display()));
    Ok(())
}

fn heading<R>(title: &str, results: &Results<R>) -> String {
    let machine = &results.machine;
    let mut text = format!(
        "\n## {title}\n\n`{}`, commit {}, {}. {} cores of {}, {} MiB, Linux {}, at most {} open files, load average {}.\n\n",
        results.command,
        results.commit,
        results.measured_at,
        machine.cores,
        machine.cpu,
        machine.memory_mib,
        machine.kernel,
        machine.open_files,
        machine.load_average
    );
    if machine.was_busy() {
        text.push_str(
            "**The machine was busy with other work.** Rates and their ratios are too low or swing; \
             CPU times hold better. Repeat it on a quiet machine.\n\n",
        );
    }
    for (name, value) in &results.settings {
        text.push_str(&format!("- {name}: {value}\n"));
    }
    text
}

/// A goal, whether it was reached, and what was measured.
fn goal(wanted: &str, is_reached: bool, measured: &str) -> String {
    let verdict = if is_reached { "reached" } else { "not reached" };
    format!("- Goal: {wanted}. **{verdict}**: {measured}.\n")
}

/// Bytes as people read them.
fn bytes(count: u64) -> String {
    const STEP: f64 = 1024.0;
    let mut value = count as f64;
    for unit in ["B", "KiB", "MiB"] {
        if value < STEP {
            return format!("{} {unit}", number(value));
        }
        value /= STEP;
    }
    format!("{} GiB", number(value))
}

/// A table that reads well as plain text, too.
fn table(heads: &[&str], rows: &[Row]) -> String {
    let heads: Row = heads.iter().map(|head| (*head).to_owned()).collect();
    let width = |column: usize| {
        let cells = rows
            .iter()
            .chain([&heads])
            .filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |row: &Row| {
        let cells = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| {
                if column == 0 {
                    format!(" {cell:<width$} ")
                } else {
                    format!(" {cell:>width$} ")
                }
            });
        format!("|{}|\n", cells.collect::<Vec<_>>().join("|"))
    };
    let rule = widths.iter().enumerate().map(|(column, width)| {
        let dashes = "-".repeat(*width);
        if column == 0 {
            format!("-{dashes}-")
        } else {
            format!("-{dashes}:")
        }
    });
    let mut text = format!(
        "\n{}|{}|\n",
        line(&heads),
        rule.collect::<Vec<_>>().join("|")
    );
    rows.iter().for_each(|row| text.push_str(&line(row)));
    text
}

/// Writes a plot beside the report and refers to it.
fn plot(folder: &Path, name: &str, title: &str, svg: &str) -> Result<String> {
    let path = folder.join(name);
    std::fs::write(&path, svg).at(&path)?;
    Ok(format!("\n![{title}]({name})\n"))
}

/// A number with as many digits as it deserves, thousands apart.
fn number(value: f64) -> String {
    if value.abs() < 10.0 {
        return format!("{value:.2}");
    }
    if value.abs() < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_they_deserve() {
        let shown: Vec<String> = [0.5, 12.34, 999.6, 1_234_567.0, -1_234.0]
            .map(number)
            .into();
        assert_eq!(shown, ["0.50", "12.3", "1,000", "1,234,567", "-1,234"]);
        assert_eq!(percent(0.256), "26 %");
    }

    #[test]
    fn tables_line_up() {
        let rows = vec![
            vec!["a".to_owned(), "1".to_owned()],
            vec!["bb".to_owned(), "100".to_owned()],
        ];
        let expected = "\n| x  |   y |\n|----|----:|\n| a  |   1 |\n| bb | 100 |\n";
        assert_eq!(table(&["x", "y"], &rows), expected);
    }
}
