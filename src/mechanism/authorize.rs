// SPDX-License-Identifier: Apache-2.0
//! Authorizing operations: every one, from local data, without a lock, a
//! system call or a log line.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use super::Engine;
use crate::decision::Outcome;
use crate::fault::{Fault, Status};
use crate::policy::ActionId;
use crate::session::{Ask, Session, SessionId, Standing};

/// Facts that hold for all questions of one call.
#[derive(Clone, Copy, Default)]
pub struct Batch<'a> {
    /// The address this request came from; none: the session's.
    pub address: Option<IpAddr>,
    /// The client id the request carries.
    pub client_id: &'a str,
}

/// What a session may be asked at all at this moment.
enum Ground {
    /// Each question is decided.
    Firm,
    /// What is known is older than `standin.stale.after.ms`: only actions that
    /// may ride out an outage are decided.
    Stale,
    /// Everything gets this outcome.
    All(Outcome),
}

impl Engine {
    fn ground(&self, session: &Session) -> Ground {
        let now = self.clock().steady();
        if !session.connected || session.standing() != Standing::Live || now >= session.deadline {
            return Ground::All(Outcome::Deny);
        }
        let silence = self.agent().fresh().silence(now);
        if silence > self.settings().stale_grace {
            Ground::All(Outcome::Undecided)
        } else if silence > self.settings().stale_after {
            Ground::Stale
        } else {
            Ground::Firm
        }
    }

    /// Decides each of the questions for a session and hands every outcome to
    /// `answer`, in order.
    ///
    /// # Errors
    /// [`Status::UnknownId`] when the session id is stale; nothing was decided.
    pub fn authorize<'a>(
        &self,
        id: SessionId,
        batch: Batch<'_>,
        asks: impl Iterator<Item = Ask<'a>>,
        mut answer: impl FnMut(Outcome),
    ) -> Result<(), Fault> {
        let found = self.agent().sessions().with(id, |session| {
            let ground = self.ground(session);
            let context = session.context();
            let now = self.clock().wall();
            for ask in asks {
                let outcome = match ground {
                    Ground::All(outcome) => outcome,
                    Ground::Stale if !self.rides_out(ask.action) => Outcome::Undecided,
                    Ground::Stale | Ground::Firm => {
                        context.decide(ask, &session.channel, batch.address, batch.client_id, now)
                    }
                };
                if outcome == Outcome::Undecided {
                    self.agent().tally().undecided.fetch_add(u64::from(ask.count), Ordering::Relaxed);
                }
                answer(outcome);
            }
        });
        found.ok_or_else(|| Fault::new(Status::UnknownId, "the session is not known or gone"))
    }

    /// Decides whether the session may do the action on at least one resource
    /// of the action's type.
    ///
    /// # Errors
    /// [`Status::UnknownId`] when the session id is stale.
    pub fn authorize_any(&self, id: SessionId, batch: Batch<'_>, action: ActionId) -> Result<Outcome, Fault> {
        let found = self.agent().sessions().with(id, |session| match self.ground(session) {
            Ground::All(outcome) => outcome,
            Ground::Stale if !self.rides_out(action) => Outcome::Undecided,
            // Kafka asks this only for idempotent producers.
            _ if self.settings().idempotent_strict => Outcome::Deny,
            _ => session.context().decide_any(
                action,
                &session.channel,
                batch.address,
                batch.client_id,
                self.clock().wall(),
            ),
        });
        found.ok_or_else(|| Fault::new(Status::UnknownId, "the session is not known or gone"))
    }

    /// True for actions of running producers and consumers, which an outage of
    /// the service must not stop at once.
    fn rides_out(&self, action: ActionId) -> bool {
        const RIDE: [&str; 10] = [
            "ReadData",
            "WriteData",
            "WriteDataIdempotently",
            "DescribeTopic",
            "DescribeGroup",
            "AlterGroup",
            "DescribeTransactionalId",
            "AlterTransactionalId",
            "DescribeCluster",
            "Connect",
        ];
        self.agent()
            .actions()
            .get(action)
            .is_some_and(|a| a.name.split_once(':').is_some_and(|(_, verb)| RIDE.contains(&verb)))
    }
}
