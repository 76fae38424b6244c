//! From the hits of all splits to a response: what they bring is fetched.

use std::sync::Arc;
use std::time::Instant;

use super::answer::{Answer, Asked};
use super::execute::micros;
use super::join::Joined;
use super::options::SearchOptions;
use super::reading::Reading;
use super::response::SearchResponse;
use crate::directory::{LateReads, ReadScope};
use crate::error::{ErrorKind, Result};
use crate::warmup::{Warmer, Work};

impl Warmer {
    pub(super) async fn respond(
        &self,
        asked: &Asked,
        work: &Work,
        joined: Joined,
        mut answer: Answer,
        late: &Arc<LateReads>,
        options: &SearchOptions,
    ) -> Result<SearchResponse> {
        let mut report = joined.report.clone();
        if !answer.documents.is_complete() {
            let started = Instant::now();
            match answer.documents.fetch(self).await {
                Ok(traffic) => report.then(traffic),
                // Too large to be held at once: one by one then.
                Err(error) if error.kind() == ErrorKind::Budget => {
                    let on_miss = self.on_miss(options);
                    let scope = ReadScope::search([].into(), on_miss, Arc::clone(late));
                    let reading = Reading::Scoped(scope);
                    answer.documents.read_on_demand(self, reading).await?;
                }
                Err(error) => return Err(error),
            }
            report.fetch_docs_us += micros(started.elapsed());
        }
        let brought = answer.documents.take_brought();
        if answer.documents.is_complete() && !brought.is_empty() {
            self.note_documents(work, &asked.request, brought);
        }
        report.then(late.traffic());
        report.late_reads = late.count();
        Ok(asked.respond(answer, report))
    }
}
