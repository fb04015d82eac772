// SPDX-License-Identifier: Apache-2.0
//! Delivering the audit to the service. Nobody waits for it: what cannot be
//! delivered stays in its file.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Agent, schedule};
use crate::audit::{Batch, Delivery};
use crate::fault::Fault;

/// How long one delivery may take, milliseconds.
const PATIENCE: i64 = 10_000;
/// Most deliveries between two looks at whether this is to end.
const AT_ONCE: usize = 16;

/// What is remembered between its turns.
pub(super) struct Deliverer {
    delivery: Delivery,
    failures: u32,
}

impl Deliverer {
    pub(super) fn new(agent: &Agent) -> Self {
        let settings = &agent.parts.settings;
        Self { delivery: Delivery::open(&settings.audit_dir, &settings.host), failures: 0 }
    }

    /// Delivers what there is; after how many milliseconds to look again.
    pub(super) fn turn(&mut self, agent: &Arc<Agent>) -> i64 {
        let again = self.deliver(agent);
        agent.counters.audit_undelivered.store(self.delivery.left(), Ordering::Relaxed);
        match again {
            Ok(again) => {
                if self.failures > 0 {
                    agent.parts.journal.line("info", "the audit is delivered again");
                }
                self.failures = 0;
                again
            }
            Err(fault) => {
                self.failures = self.failures.saturating_add(1);
                agent.counters.audit_delivery_failures.fetch_add(1, Ordering::Relaxed);
                if self.failures == 1 && !agent.is_stopping() {
                    agent.parts.journal.line("warn", &format!("the audit is not delivered: {fault}"));
                }
                schedule::back_off(self.failures, agent.fraction())
            }
        }
    }

    fn deliver(&mut self, agent: &Arc<Agent>) -> Result<i64, Fault> {
        self.delivery.look()?;
        for _ in 0..AT_ONCE {
            let Some(batch) = self.delivery.next()? else { return Ok(agent.parts.tuning.audit_flush()) };
            self.one(agent, batch)?;
        }
        Ok(0)
    }

    fn one(&mut self, agent: &Arc<Agent>, batch: Batch) -> Result<(), Fault> {
        if !batch.lines.is_empty() {
            agent.parts.service.deliver(&batch.lines, agent.parts.clock.steady().plus(PATIENCE))?;
            agent.counters.audit_delivered.fetch_add(batch.lines.len() as u64, Ordering::Relaxed);
        }
        self.delivery.done(batch)
    }
}
