//! How much memory this process has, as the kernel counts it.

/// Resident bytes now; 0 where `/proc` does not tell.
pub fn resident_bytes() -> u64 {
    status("VmRSS:")
}

/// The most resident bytes there ever were; 0 where `/proc` does not tell.
#[allow(dead_code, reason = "each bench uses what it needs")]
pub fn peak_bytes() -> u64 {
    status("VmHWM:")
}

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
