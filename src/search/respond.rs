//! From the hits of all splits to a response: what they bring is fetched.

use std::sync::Arc;
use std::time::Instant;

use super::answer::{Answer, Asked};
use super::documents::Fetching;
use super::execute::micros;
use super::reading::Reading;
use super::report::SearchReport;
use super::response::SearchResponse;
use super::run::Run;
use crate::directory::ReadScope;
use crate::error::{ErrorKind, Result};

impl Run<'_> {
    /// Fetches what the hits of an answer bring, as far as it is not in memory.
    pub(super) async fn complete(
        &self,
        answer: &mut Answer,
        report: &mut SearchReport,
    ) -> Result<()> {
        if answer.documents.is_complete() {
            return Ok(());
        }
        // Boxed, for the future of a search is large, and most find all in memory.
        Box::pin(self.fetch(answer, report)).await
    }

    /// The response of an answer that is complete.
    pub(super) fn respond(
        &self,
        asked: &Asked,
        mut answer: Box<Answer>,
        mut report: SearchReport,
    ) -> SearchResponse {
        let warmer = self.warmer;
        let brought = answer.documents.take_brought();
        if answer.documents.is_complete() && !brought.is_empty() {
            warmer.note_documents(self.work, &asked.request, brought);
        }
        report.then(self.late.traffic());
        report.late_reads = self.late.count();
        warmer.count_reads(&self.late);
        asked.respond(answer, report)
    }

    /// Fetches what hits bring that is not in memory.
    async fn fetch(&self, answer: &mut Answer, report: &mut SearchReport) -> Result<()> {
        let (warmer, started) = (self.warmer, Instant::now());
        let fetching = Fetching::Search(Arc::clone(&self.late));
        match answer.documents.fetch(warmer, &fetching).await {
            Ok(traffic) => report.then(traffic),
            // Too large to be held at once: one by one then.
            Err(error) if error.kind() == ErrorKind::Budget => {
                let late = Arc::clone(&self.late);
                let scope = ReadScope::search([].into(), self.on_miss(), late);
                let reading = Reading::Scoped(scope);
                answer.documents.read_on_demand(warmer, reading).await?;
            }
            Err(error) => return Err(error),
        }
        report.fetch_docs_us += micros(started.elapsed());
        Ok(())
    }
}
