//! Tables for people.

use comfy_table::{CellAlignment, Table, TableComponent, presets};

/// Which way a column leans.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lean {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table with a header whose columns lean as asked.
pub(crate) fn table(columns: &[(&str, Lean)]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    // Lines above and below and under the header, none between the rows.
    for line in [
        TableComponent::HorizontalLines,
        TableComponent::MiddleIntersections,
    ] {
        table.remove_style(line);
    }
    table.set_header(columns.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (position, (_, lean)) in columns.iter().enumerate() {
        if let (Lean::Right, Some(column)) = (lean, table.column_mut(position)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A table as text, without blanks at the ends of its lines.
pub(crate) fn text(table: &Table) -> String {
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lean_right() {
        let mut table = table(&[("name", Lean::Left), ("bytes", Lean::Right)]);
        table.add_row(["a", "1"]);
        assert!(text(&table).contains(" a          1"), "{}", text(&table));
    }
}
