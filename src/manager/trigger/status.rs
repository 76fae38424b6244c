use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::store::{Traffic, Use};

/// What a trigger does at the moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TriggerState {
    /// It waits until it is due.
    Idle,
    /// It is switched off.
    Off,
    /// A tick is under way.
    Running,
    /// It does nothing any more: its manager has stopped, or it panicked while it waited, which its
    /// [error](TriggerStatus::error) tells.
    Stopped,
}

/// What a trigger has done since it was started, and does now.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TriggerStatus {
    /// Its name: also the source of its jobs.
    pub name: String,
    /// What it does at the moment.
    pub state: TriggerState,
    /// Ticks that have ended.
    pub ticks: u64,
    /// Ticks that were left out because another ran when their interval began. None of a trigger
    /// that is due by something else.
    pub skipped_ticks: u64,
    /// Ticks that failed to find out what to warm.
    pub failed_ticks: u64,
    /// When the last tick began, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_tick: Option<u64>,
    /// How long it took, in milliseconds.
    pub last_tick_ms: u64,
    /// What it wanted, summed over all ticks: a request in a split counts once a tick.
    pub wanted: u64,
    /// Of these, how many are warm.
    pub warmed: u64,
    /// Of these, how many could not be warmed.
    pub failed: u64,
    /// Of these, how many were left out, by reason: `budget`, `cancelled`, `deadline`, `off`,
    /// `reserve`, `shutdown`, `throttled`.
    pub left_out: BTreeMap<&'static str, u64>,
    /// What its warmups have sent.
    pub traffic: Traffic,
    /// What became of the bytes that its warmups have fetched.
    pub usage: Use,
    /// How far the tick that runs has come: its batches that have ended. Not counted above yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<TickReport>,
    /// Why it warms less than it wants, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled: Option<String>,
    /// What went wrong last when it looked for what to warm, or why it has stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What only it knows: see [`Trigger::details`](crate::Trigger::details).
    #[serde(skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

/// How one tick of a trigger went.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct TickReport {
    /// Requests in splits that it wanted warm.
    pub wanted: u64,
    /// Of these, how many are.
    pub warmed: u64,
    /// Of these, how many could not be warmed.
    pub failed: u64,
    /// Of these, how many were left out, by reason.
    pub left_out: BTreeMap<&'static str, u64>,
    /// What was sent for them.
    pub traffic: Traffic,
}

impl TickReport {
    /// Whether all that was wanted is warm.
    pub fn is_complete(&self) -> bool {
        self.warmed == self.wanted
    }

    pub(super) fn leave_out(&mut self, reason: &'static str, count: usize) {
        if count > 0 {
            *self.left_out.entry(reason).or_default() += count as u64;
        }
    }
}
