//! The table as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use forewarm::Component;

use super::Reads;

/// What errors call types: they are the same for each.
const TYPES: [&str; 9] = [
    "a bool field",
    "a bytes field",
    "a date field",
    "a facet field",
    "a u64 field",
    "an IP address field",
    "an f64 field",
    "an i64 field",
    "a JSON field",
];

/// What stands above the tables.
const HEAD: &str = "\
# What each clause reads

*Made by `tests/grid/table` from what the code does: every pair of a clause and a shape of field is
explained, then searched for from nothing, strict; the search read every byte that was fetched, and no
other, in as many rounds as were foretold. To make it anew: `FOREWARM_BLESS=1 cargo test --test grid
table`.*

A cell says what a scored search with hits reads of each segment beyond the hot bytes, and in how
many rounds after opening, of a split whose dictionaries are not hot:

| | |
|---|---|
| **T** | blocks of term dictionaries. Where they are hot (small ones are, see `PackSettings`), and where a field has only a few terms, they cost neither bytes nor a round |
| **P** | postings of the terms that match |
| **X** | their positions |
| **N** | norms of the field |
| **C** | the names of columns, which cost nothing where they are hot, and then the column |
| a number | rounds after opening, when names and dictionaries are not hot: one less when they are. The documents of the hits take one more |
| – | reads nothing |
| ∅ | allowed; but the field holds no such values: nothing matches |
| *e1* | an error, in the list at the end |

`f` is a field that has a value in half of the documents, which is what is looked for. Splits of stock tantivy (without the feature `sstable`) read the same, but a field's whole dictionary
for **T**. Shapes of fields that agree in everything share a column.
";

/// What a clause comes to on a field.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Cell {
    Reads(Reads),
    Refused(String),
}

impl Cell {
    /// The cell, with errors that do not depend on what the field is called and where the clause
    /// stands.
    pub fn of_field(self, path: &str) -> Self {
        let Self::Refused(message) = self else {
            return self;
        };
        let message = message.split_once(": ").map_or(&*message, |(_, what)| what);
        let field = path.split('.').next().unwrap_or(path);
        let quoted = |name: &str| format!("\"{name}\"");
        let message = message
            .replace(&quoted(path), "\"f\"")
            .replace(&quoted(field), "\"f\"");
        let message = TYPES
            .iter()
            .fold(message, |message, name| message.replace(name, "a … field"));
        Self::Refused(message)
    }
}

/// The document under way.
#[derive(Default)]
pub struct Document {
    tables: String,
    /// By message, their numbers.
    errors: BTreeMap<String, usize>,
    /// By message, the clauses that are refused with it.
    refused: BTreeMap<String, Vec<String>>,
}

impl Document {
    /// Adds a table, columns that agree made one.
    pub fn table(&mut self, title: &str, columns: Vec<String>, lines: Vec<(String, Vec<Cell>)>) {
        let mut merged: Vec<(String, Vec<&Cell>)> = Vec::new();
        for (number, column) in columns.into_iter().enumerate() {
            let cells: Vec<&Cell> = lines.iter().map(|(_, cells)| &cells[number]).collect();
            match merged.iter_mut().find(|(_, known)| *known == cells) {
                Some((title, _)) => *title += &format!("<br>{column}"),
                None => merged.push((column, cells)),
            }
        }
        let titles: Vec<&str> = merged.iter().map(|(title, _)| title.as_str()).collect();
        let _ = writeln!(self.tables, "\n## {title}\n\n| | {} |", titles.join(" | "));
        let _ = writeln!(self.tables, "|---|{}", "---|".repeat(titles.len()));
        for (number, (title, _)) in lines.iter().enumerate() {
            let cells: Vec<String> = merged
                .iter()
                .map(|(_, cells)| self.cell(cells[number]))
                .collect();
            let _ = writeln!(self.tables, "| {title} | {} |", cells.join(" | "));
        }
    }

    /// Adds a clause that is refused.
    pub fn refuse(&mut self, clause: &str, message: &str) {
        let clauses = self.refused.entry(message.to_owned()).or_default();
        clauses.push(format!("`{clause}`"));
    }

    /// Whether a clause has a row.
    pub fn names(&self, clause: &str) -> bool {
        let named = |end| self.tables.contains(&format!("`{clause}{end}"));
        named('`') || named('.')
    }

    fn cell(&mut self, cell: &Cell) -> String {
        match cell {
            Cell::Reads(reads) if reads.components.is_empty() => "–".to_owned(),
            Cell::Reads(reads) => {
                // In the order in which they are read.
                let order = [
                    (Component::Terms, 'T'),
                    (Component::Postings, 'P'),
                    (Component::Positions, 'X'),
                    (Component::Norms, 'N'),
                    (Component::Columns, 'C'),
                ];
                let known = order.iter().filter(|(it, _)| reads.components.contains(it));
                let letters: Vec<char> = known.map(|(_, letter)| *letter).collect();
                assert_eq!(letters.len(), reads.components.len(), "{reads:?}");
                let letters: String = letters.into_iter().collect();
                let empty = if reads.matches { "" } else { " ∅" };
                format!("{letters} {}{empty}", reads.rounds)
            }
            Cell::Refused(message) => {
                let next = self.errors.len() + 1;
                let number = self.errors.entry(message.clone()).or_insert(next);
                format!("*e{number}*")
            }
        }
    }

    /// The whole document.
    pub fn finish(self) -> String {
        let mut text = format!("{HEAD}{}", self.tables);
        text.push_str(
            "\n## Errors\n\n`f` is the field, … its type. Each is an `InvalidRequest`.\n\n",
        );
        let mut errors: Vec<(usize, String)> = self
            .errors
            .into_iter()
            .map(|(message, number)| (number, message))
            .collect();
        errors.sort_unstable();
        for (number, message) in errors {
            let _ = writeln!(text, "- *e{number}*: `{message}`");
        }
        text.push_str("\n## Refused\n\nClauses of Elasticsearch that are errors:\n\n");
        for (message, clauses) in self.refused {
            let _ = writeln!(text, "- {}: `{message}`", clauses.join(", "));
        }
        text
    }
}
