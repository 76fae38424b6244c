//! Clauses as a person would draw them.

use forewarm::ClauseExplanation;
use termtree::Tree;

use crate::units;

/// The clauses as a tree, each with the bytes that it reads.
pub(crate) fn tree(clause: &ClauseExplanation) -> Tree<String> {
    let mut text = shown(&clause.clause);
    for (number, (component, bytes)) in clause.reads.iter().enumerate() {
        let before = if number == 0 { "  [" } else { ", " };
        text.push_str(&format!(
            "{before}{} {}",
            component.name(),
            units::bytes(*bytes)
        ));
    }
    if !clause.reads.is_empty() {
        text.push(']');
    }
    if !clause.can_match {
        text.push_str("  (no match)");
    }
    Tree::new(text).with_leaves(clause.clauses.iter().map(tree))
}

/// A request may hold control characters, which are no business of the terminal.
fn shown(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
