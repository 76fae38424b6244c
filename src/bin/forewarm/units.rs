//! Quantities as people write and read them: `30ms`, `90MB/s`, `64MiB`.

use std::time::Duration;

const KIB: f64 = 1024.0;

/// Parses a duration: a number with `ns`, `us`, `ms`, `s`, `m` or `h`; a bare `0` needs no unit.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text)?;
    let seconds = match unit {
        "" if number == 0.0 => 0.0,
        "" => return Err(format!("`{text}` needs a unit: ns, us, ms, s, m or h")),
        "ns" => number * 1e-9,
        "us" | "µs" => number * 1e-6,
        "ms" => number * 1e-3,
        "s" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        other => return Err(format!("unknown unit `{other}`: use ns, us, ms, s, m or h")),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("`{text}` is too long"))
}

/// Parses a size in bytes: a number with an optional `B`, `kB`, `MB`, `GB`, `TB` (powers of 1000)
/// or `KiB`, `MiB`, `GiB`, `TiB` (powers of 1024); a bare letter (`64M`) means the power of 1024.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "k" | "kib" => KIB,
        "m" | "mib" => KIB.powi(2),
        "g" | "gib" => KIB.powi(3),
        "t" | "tib" => KIB.powi(4),
        _ => {
            return Err(format!(
                "unknown unit `{unit}`: use B, kB, MB, GB, KiB, MiB or GiB"
            ));
        }
    };
    let bytes = (number * factor).round();
    // 2^63 and above: no object is that large, and the conversion below would be lossy.
    if bytes >= 9.2e18 {
        return Err(format!("`{text}` is too large"));
    }
    Ok(bytes as u64)
}

/// Parses a bandwidth in bytes per second: a size, `/s` after it or not.
pub(crate) fn parse_bandwidth(text: &str) -> Result<u64, String> {
    let size = text.trim().strip_suffix("/s").unwrap_or(text);
    match parse_bytes(size)? {
        0 => Err("a bandwidth of 0 would never end".to_owned()),
        bytes => Ok(bytes),
    }
}

/// Splits `30 ms` into 30 and `ms`.
fn split_unit(text: &str) -> Result<(f64, &str), String> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((value, unit.trim())),
        _ => Err(format!("`{text}` does not begin with a number")),
    }
}

/// A size as people read it: `1.2 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / KIB;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= KIB;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A bandwidth as networks count it, in powers of 1000: `90 MB/s`.
pub(crate) fn bandwidth(bytes_per_second: u64) -> String {
    match bytes_per_second {
        0..1_000_000 => format!("{:.1} kB/s", bytes_per_second as f64 / 1e3),
        1_000_000..10_000_000 => format!("{:.1} MB/s", bytes_per_second as f64 / 1e6),
        _ => format!("{:.0} MB/s", bytes_per_second as f64 / 1e6),
    }
}

/// A duration as people read it: `1.24 s`, `30.1 ms`, `12 µs`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 1.0 {
        format!("{seconds:.2} s")
    } else if seconds >= 1e-3 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{:.0} µs", seconds * 1e6)
    }
}

/// A count with thousands set apart: `200,000`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 split`, `2 splits`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_unless_they_are_zero() {
        assert_eq!(parse_duration("30ms"), Ok(Duration::from_millis(30)));
        assert_eq!(parse_duration("1.5 s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
        for bad in [
            "30",
            "",
            "ms",
            "-1s",
            "1.2.3s",
            "5 parsecs",
            "1e3s",
            "99999999999999999999h",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn decimal_and_binary_units_differ() {
        assert_eq!(parse_bytes("64MiB"), Ok(64 << 20));
        assert_eq!(parse_bytes("64M"), Ok(64 << 20));
        assert_eq!(parse_bytes("90MB"), Ok(90_000_000));
        assert_eq!(parse_bytes("1.5 kB"), Ok(1500));
        assert_eq!(parse_bytes("17"), Ok(17));
        for bad in ["", "MiB", "-1", "12 furlongs", "99999999TiB"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bandwidth_is_a_positive_size_per_second() {
        assert_eq!(parse_bandwidth("90MB/s"), Ok(90_000_000));
        assert_eq!(parse_bandwidth("1MiB"), Ok(1 << 20));
        assert!(parse_bandwidth("0MB/s").is_err());
        assert!(parse_bandwidth("fast").is_err());
    }

    #[test]
    fn quantities_are_printed_in_the_unit_that_suits_them() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1 << 20), "1.0 MiB");
        assert_eq!(bytes((1 << 20) - 1), "1.0 MiB");
        assert_eq!(bandwidth(90_000_000), "90 MB/s");
        assert_eq!(bandwidth(1_500_000), "1.5 MB/s");
        assert_eq!(duration(Duration::from_micros(12)), "12 µs");
        assert_eq!(duration(Duration::from_micros(30_100)), "30.1 ms");
        assert_eq!(duration(Duration::from_millis(1240)), "1.24 s");
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(200_000), "200,000");
        assert_eq!(counted(1, "split"), "1 split");
        assert_eq!(counted(2, "split"), "2 splits");
    }
}
