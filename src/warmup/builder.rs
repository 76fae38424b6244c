use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use object_store::ObjectStore;
use rayon::ThreadPool;
use tantivy::tokenizer::TokenizerManager;
use tokio::runtime::Handle;

use super::learned::Learned;
use super::registry::Registry;
use super::settings::WarmerSettings;
use super::warmer::{Inner, Warmer};
use crate::cache::ExtentCache;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Absences, KnownPlans, PlanStore, PlanWriter, Planner};
use crate::split::{Opener, Tokenizers};
use crate::store::Fetcher;
use crate::telemetry;

/// Builds a [`Warmer`].
#[must_use]
pub struct WarmerBuilder {
    store: Arc<dyn ObjectStore>,
    settings: WarmerSettings,
    runtime: Option<Handle>,
    pool: Option<Arc<ThreadPool>>,
    tokenizers: Tokenizers,
    plan_store: Option<Arc<dyn PlanStore>>,
}

impl WarmerBuilder {
    pub(super) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            settings: WarmerSettings::default(),
            runtime: None,
            pool: None,
            tokenizers: Tokenizers::default(),
            plan_store: None,
        }
    }

    /// Sets the settings; default is [`WarmerSettings::default`].
    pub fn settings(mut self, settings: WarmerSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the runtime that fetches; default is the one that [`build`](Self::build) is called in.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Sets the pool that plans and searches; default is one of a thread a core.
    pub fn pool(mut self, pool: Arc<ThreadPool>) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Sets the tokenizers of indexed text and JSON fields, by the names that schemas give them;
    /// default is tantivy's: `default`, `en_stem`, `raw` and `whitespace`.
    ///
    /// A split says only the name of a tokenizer. The text of a search must be cut as its index
    /// was, so register here what the indexer registered: on
    /// [`TokenizerManager::default`], to which tantivy's own belong. One that is not registered is
    /// an error of the searches that need it. What is registered later counts for splits that are
    /// open, too.
    ///
    /// ```
    /// use forewarm::Warmer;
    /// use tantivy::tokenizer::{AsciiFoldingFilter, SimpleTokenizer, TextAnalyzer, TokenizerManager};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), forewarm::Error> {
    /// # let store = std::sync::Arc::new(object_store::memory::InMemory::new());
    /// let tokenizers = TokenizerManager::default();
    /// let folded = TextAnalyzer::builder(SimpleTokenizer::default()).filter(AsciiFoldingFilter);
    /// tokenizers.register("folded", folded.build());
    /// let warmer = Warmer::builder(store).tokenizers(tokenizers).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn tokenizers(mut self, tokenizers: TokenizerManager) -> Self {
        self.tokenizers.indexed = tokenizers;
        self
    }

    /// Sets the tokenizers of text fields that are fast and not indexed, by the names that schemas
    /// give them; default is as for [`tokenizers`](Self::tokenizers), which also says why.
    pub fn fast_field_tokenizers(mut self, tokenizers: TokenizerManager) -> Self {
        self.tokenizers.fast = tokenizers;
        self
    }

    /// Keeps plans and proven absences in `plans` beyond the life of the process; default is
    /// nowhere.
    ///
    /// What warmups and searches find out is written there in the background. Nothing is read
    /// unless [`Warmer::load_plans`] is called, and what was not written yet is lost unless
    /// [`Warmer::flush_plans`] is.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use forewarm::{ObjectPlans, Warmer};
    /// use object_store::ObjectStore;
    /// use object_store::memory::InMemory;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), forewarm::Error> {
    /// let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    /// let plans = ObjectPlans::beside(Arc::clone(&store), &"logs".into());
    /// let warmer = Warmer::builder(store).plan_store(Arc::new(plans)).build()?;
    /// let loaded = warmer.load_plans().await?;
    /// assert_eq!((loaded.plans, loaded.absences, loaded.rejected), (0, 0, 0));
    /// // … searches …
    /// warmer.flush_plans().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn plan_store(mut self, plans: Arc<dyn PlanStore>) -> Self {
        self.plan_store = Some(plans);
        self
    }

    /// Builds the warmer.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when settings are wrong, the plan store's among them, or no runtime is given and none is current;
    /// `Internal` when the pool's threads cannot be started.
    pub fn build(self) -> Result<Warmer> {
        self.settings.validate()?;
        if let Some(plans) = &self.plan_store {
            plans.settings().validate()?;
        }
        let runtime = match self.runtime {
            Some(runtime) => runtime,
            None => Handle::try_current().map_err(|error| {
                Error::with_source(
                    ErrorKind::InvalidRequest,
                    "a warmer needs a tokio runtime: build it in one, or give its handle",
                    error,
                )
            })?,
        };
        let pool = match self.pool {
            Some(pool) => pool,
            None => {
                let pool = rayon::ThreadPoolBuilder::new()
                    .thread_name(|number| format!("forewarm-{number}"))
                    .build()
                    .map_err(|error| {
                        let message = "the search pool cannot be started";
                        Error::with_source(ErrorKind::Internal, message, error)
                    })?;
                Arc::new(pool)
            }
        };
        let settings = self.settings;
        let fetcher = Arc::new(Fetcher::new(self.store, settings.store.clone()));
        let cache = ExtentCache::new(&settings.cache, fetcher, runtime.clone());
        let opener = Opener::new(
            cache.clone(),
            Arc::clone(&pool),
            settings.cache.opened_bytes,
            self.tokenizers,
        );
        let registry = Registry::new(
            settings.linger,
            settings.cache.lease_bytes / 2,
            runtime.clone(),
        );
        let writer = self
            .plan_store
            .map(|store| Arc::new(PlanWriter::new(store, Clock::system(), &runtime)));
        let (search_hits, late_reads) = (AtomicU64::new(0), AtomicU64::new(0));
        let planner = Planner {
            pool,
            limits: settings.expansion,
            absences: Absences::new(settings.cache.absence_bytes, writer.clone()),
            plans: KnownPlans::new(settings.cache.plan_bytes, writer.clone()).into(),
        };
        let inner = Inner {
            search_hits,
            late_reads,
            settings,
            cache,
            opener,
            registry,
            learned: Learned::new(),
            runtime,
            planner,
            writer,
        };
        let inner = Arc::new(inner);
        telemetry::describe();
        inner.measure_now_and_then();
        Ok(Warmer { inner })
    }
}
