//! `forewarm generate`: log lines to try things on, as many as wanted and the same ones each time.

mod logs;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use clap::Args;
use indicatif::ProgressBar;
use tempfile::NamedTempFile;

use self::logs::Logs;
use crate::failure::{Failure, Outcome};
use crate::session::{Interrupt, Progress, Session};
use crate::units;

/// How many lines pass between two looks at the interrupt.
const BATCH: u64 = 1000;

const EXAMPLES: &str = "\
Examples:
  forewarm generate --docs 100000 --to logs.ndjson --schema logs.schema.json
  forewarm pack --from logs.ndjson --schema logs.schema.json --to splits/
  forewarm generate --docs 5000000 --seed 7 | gzip > logs.ndjson.gz
";

/// Make log lines to pack and search
///
/// NDJSON of a fleet of services over one day: times in order but for some jitter, levels,
/// services and users by Zipf's law, messages of templates and words, latencies of a long tail,
/// and a trace id that no two lines share. Equal seeds make equal lines.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub(crate) struct GenerateArgs {
    /// Make this many lines
    #[arg(long, value_name = "N", default_value_t = 100_000,
          value_parser = clap::value_parser!(u64).range(0..=1_000_000_000))]
    docs: u64,

    /// Begin the random numbers here
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,

    /// Write the lines to this file (`-`: standard output)
    #[arg(long, value_name = "FILE", default_value = "-")]
    to: String,

    /// Write the schema that `pack` needs to this file
    #[arg(long, value_name = "FILE")]
    schema: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &GenerateArgs) -> Outcome {
    if let Some(path) = &args.schema {
        // First, so that a program that reads our output finds it.
        std::fs::write(path, logs::SCHEMA)
            .map_err(|error| Failure::caused(format!("cannot write {path}"), &error))?;
    }
    let progress = Progress::over_items("generating", args.docs);
    let (bar, interrupt) = (progress.bar().clone(), session.interrupt().clone());
    let (seed, docs, to) = (args.seed, args.docs, args.to.clone());
    let written = tokio::task::spawn_blocking(move || {
        let lines = Logs::new(seed, docs);
        if to == "-" {
            let output = BufWriter::with_capacity(1 << 18, io::stdout().lock());
            return write_lines(lines, output, &interrupt, &bar).map(drop);
        }
        write_file(lines, Path::new(&to), &interrupt, &bar)
    });
    written.await??;
    drop(progress);
    if args.to != "-" && !session.json() {
        session.print(format!(
            "wrote {} to {}",
            units::counted(args.docs, "line"),
            args.to
        ))?;
    }
    Ok(())
}

/// Writes beside the file first, so that what is there is whole, or not there.
fn write_file(lines: Logs, path: &Path, interrupt: &Interrupt, bar: &ProgressBar) -> Outcome {
    let failed =
        |error: &io::Error| Failure::caused(format!("cannot write {}", path.display()), error);
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // What is no file, as /dev/null, cannot be replaced by one.
    if path.exists() && !path.is_file() {
        let file = File::create(path).map_err(|error| failed(&error))?;
        return write_lines(lines, file, interrupt, bar).map(drop);
    }
    let file = temporary_in(folder).map_err(|error| failed(&error))?;
    let output = BufWriter::with_capacity(1 << 18, file);
    let output = write_lines(lines, output, interrupt, bar)?;
    let file = output.into_inner().map_err(|error| failed(error.error()))?;
    file.persist(path).map_err(|error| failed(&error.error))?;
    Ok(())
}

/// A file that goes away unless it is kept; once kept, it is readable like any other.
fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

fn write_lines<W: Write>(
    lines: Logs,
    mut output: W,
    interrupt: &Interrupt,
    bar: &ProgressBar,
) -> Outcome<W> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::caused("cannot write the lines", &error),
    };
    for (number, line) in lines.enumerate() {
        if (number as u64).is_multiple_of(BATCH) {
            interrupt.check()?;
            bar.set_position(number as u64);
        }
        serde_json::to_writer(&mut output, &line).map_err(|error| failed(error.into()))?;
        output.write_all(b"\n").map_err(failed)?;
    }
    output.flush().map_err(failed)?;
    Ok(output)
}
