//! What a bench is to reach, and whether it does.

/// A table of targets.
#[derive(Default)]
pub struct Targets {
    rows: Vec<[String; 4]>,
    missed: usize,
}

impl Targets {
    /// What is measured, what it has to be, what it is, and whether that holds.
    pub fn add(
        &mut self,
        what: impl Into<String>,
        target: impl Into<String>,
        measured: impl Into<String>,
        holds: bool,
    ) {
        self.missed += usize::from(!holds);
        let verdict = if holds { "holds" } else { "MISSED" };
        self.rows
            .push([what.into(), target.into(), measured.into(), verdict.into()]);
    }

    /// What is measured and has no target.
    pub fn tell(&mut self, what: impl Into<String>, measured: impl Into<String>) {
        self.rows
            .push([what.into(), "–".into(), measured.into(), String::new()]);
    }

    /// Prints all of them; answers how many are missed.
    pub fn print(&self, title: &str) -> usize {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths = [0, 1, 2].map(width);
        println!("\n{title}");
        for [what, target, measured, verdict] in &self.rows {
            let [a, b, c] = widths;
            println!("  {what:<a$}  {target:<b$}  {measured:<c$}  {verdict}");
        }
        self.missed
    }
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
