//! What a process takes up, as Linux counts it.

use anyhow::{Context as _, Result};
use std::{fs, time::Duration};

/// Bytes of memory a process holds.
pub(crate) fn resident(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = kib.context("it has no VmRSS")?.trim().parse()?;
    Ok(kib << 10)
}

/// Time that processors have worked for a process, its threads and the system on its behalf, so far. In steps of 10 ms.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    // The second field is the program's name in parentheses, and may hold anything.
    let (_, fields) = text.rsplit_once(')').context("no name")?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut ticks = || anyhow::Ok(fields.next().context("too short")?.parse::<u64>()?);
    let ticks = ticks()? + ticks()?;
    Ok(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second())?)
}
