//! Aligned tables for terminal output.

use crate::domain::text::one_line;
use std::{
    fmt::Display,
    io::{self, IsTerminal},
};

/// The space between columns.
const GAP: &str = "  ";

/// Whether stdout wants colour: a terminal whose user has not asked for none (no-color.org).
pub(super) fn colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// One field. Its text, which others may have written, cannot move the cursor.
pub(super) struct Cell {
    text: String,
    right: bool,
    colour: Option<&'static str>,
}

impl Cell {
    pub(super) fn plain(text: impl Display) -> Self {
        let text = one_line(&text.to_string());
        Self { text, right: false, colour: None }
    }

    pub(super) fn number(number: impl Display) -> Self {
        Self { right: true, ..Self::plain(number) }
    }

    /// A good value.
    pub(super) fn good(text: impl Display) -> Self {
        Self { colour: Some("\x1b[32m"), ..Self::plain(text) }
    }

    /// A value that deserves attention.
    pub(super) fn notable(text: impl Display) -> Self {
        Self { colour: Some("\x1b[33m"), ..Self::plain(text) }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

pub(super) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(header: &[&str]) -> Self {
        Self { rows: vec![header.iter().map(Cell::plain).collect()] }
    }

    /// A table without a header.
    pub(super) fn bare() -> Self {
        Self { rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The table as text, each line without blanks at its end.
    pub(super) fn render(&self, colour: bool) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns)
            .map(|n| self.rows.iter().filter_map(|row| row.get(n)).map(Cell::width).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let blanks = " ".repeat(width - cell.width());
                let (before, after) = if cell.right { (blanks.as_str(), "") } else { ("", blanks.as_str()) };
                let (on, off) = cell.colour.filter(|_| colour).map_or(("", ""), |on| (on, "\x1b[0m"));
                line = format!("{line}{before}{on}{}{off}{after}{GAP}", cell.text);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_does_not_shift_columns_and_text_cannot_move_the_cursor() {
        let mut table = Table::new(&["A", "B"]);
        table.row(vec![Cell::good("x\x1b[2J\u{202e}"), Cell::number(7)]);
        assert_eq!(table.render(false), "A       B\nx\u{fffd}[2J\u{fffd}  7\n");
        assert_eq!(table.render(true), "A       B\n\x1b[32mx\u{fffd}[2J\u{fffd}\x1b[0m  7\n");
    }
}
