//! A call that other nodes may have made already, or are making now.

use tokio::time::Instant;

use super::{Answer, Asked, Engine};
use crate::admission::Ticket;
use crate::request::Prepared;
use crate::tier::{self, Tier};

impl Engine {
    /// The answer that another node has, or that of a call of ours, shared with the others.
    pub(crate) async fn shared_call(
        &self,
        tier: Option<&Tier>,
        asked: Asked,
        prepared: &Prepared,
        ticket: &Ticket,
    ) -> Answer {
        let (Some(tier), Some(sharing)) = (tier, prepared.sharing) else {
            return self.call(asked, prepared, ticket).await;
        };
        let queue = asked.queue_deadline.duration_since(Instant::now());
        let lease = queue + 2 * prepared.timeout;
        // Another node has as long for its call as we would have; what is left of our own wait is for
        // the case that it brings nothing.
        let asking = tier.ask(sharing, lease, prepared.timeout);
        let found = self.draining.run_until_cancelled(asking).await;
        let lease = match found.unwrap_or(tier::Asked::Call(None)) {
            tier::Asked::Answer(answer) => return answer,
            tier::Asked::Call(lease) => lease,
        };
        let answer = self.call(asked, prepared, ticket).await;
        if let Some(lease) = lease {
            tier.tell(lease, sharing, &answer).await;
        }
        answer
    }
}
