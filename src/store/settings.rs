use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::HedgeSettings;

/// How the object store is read: plain data, every default chosen for a service that has about
/// 4 GiB of memory to spare and reads a cloud object store.
///
/// ```
/// let settings = forewarm::StoreSettings::default().with_max_concurrent_gets(16);
/// assert_eq!(settings.max_concurrent_gets, 16);
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct StoreSettings {
    /// GETs under way at once, over all splits and requests. Default 128: S3 serves 5,500 a second
    /// from each prefix, which at 30 ms to the first byte are 165 at once, and what it refuses
    /// lowers the number for a while. Far fewer connections fill a network card; more of them are
    /// for short reads, which wait for first bytes and not for the network. Those that wait go in
    /// the order of urgency (what somebody joins before what is only warmed), by turns between
    /// requests, the smallest of a request first.
    pub max_concurrent_gets: usize,
    /// Bytes of bodies under way at once. Default 256 MiB. A GET waits for its bytes before it is
    /// sent; one larger than this goes alone.
    pub in_flight_bytes: u64,
    /// Two ranges are fetched by one GET only when no more than this many bytes lie between them.
    /// Default none: what one connection brings in the time to a first byte, both measured as GETs
    /// go and taken for 90 MB/s and 30 ms at first, rounded to a power of two, and at most
    /// [`max_merge_gap_bytes`](Self::max_merge_gap_bytes). For then another GET costs more than
    /// the gap.
    ///
    /// Whatever this says, all gaps together are at most a tenth of what is asked for (or 1 KiB a
    /// GET), as long as a request wants no more GETs of all its splits than [go at
    /// once](Self::max_concurrent_gets): they go side by side, so that gaps would save requests
    /// and no time. Where it wants more, some gaps are fetched if everything is here sooner then.
    pub merge_gap_bytes: Option<u64>,
    /// The most that [`merge_gap_bytes`](Self::merge_gap_bytes) is taken for when it is not set.
    /// Default 1 MiB, so that memory goes to what is read even where the store is slow.
    pub max_merge_gap_bytes: u64,
    /// A range of at least twice so many bytes is fetched by several GETs side by side, each of at
    /// least these: one connection brings tens of megabytes a second where the network card brings
    /// thousands. Default none: what one connection brings in two times to a first byte, and at
    /// least 4 MiB.
    pub piece_bytes: Option<u64>,
    /// The most GETs that one range is fetched by. Default 8; 1 never cuts.
    pub max_pieces: u32,
    /// Bytes that the gaps between what is wanted of a split may add to a round of a warmup that has
    /// no plan, beyond a tenth of what is wanted; with a plan a tenth is the limit. Default 0, so that
    /// little is fetched that is not read. With 64 KiB, which take 0.7 ms at 90 MB/s, such warmups send
    /// 6 to 13 in 100 requests fewer, or a third where splits are small, for up to a third more bytes.
    pub unplanned_gap_bytes: u64,
    /// A split of which no more than so many bytes are missing is fetched whole by a warmup that has
    /// no plan and that somebody waits for: in one round when [its
    /// size](crate::SplitAddress::with_size) or [its footer's
    /// place](crate::SplitAddress::with_footer) is known, and else in the round after its footer,
    /// instead of four (footer, dictionaries, postings, documents). Later searches of it take none.
    /// Default 2 MiB; 0 never fetches, nor holds, what is not read.
    ///
    /// Whatever this says, it is done only where the bytes take less time than the round they save:
    /// no split may lack more than one connection brings in the time to a first byte (2 MiB at 90
    /// MB/s and 30 ms), nor all that a request has warmed at once more than sixteen do, nor more than an
    /// eighth of [`capacity_bytes`](crate::CacheSettings::capacity_bytes). Triggers of a manager never do
    /// it.
    pub whole_split_bytes: u64,
    /// First guess of a split's footer length, when the caller does not know it. Default 128 KiB.
    /// Adapts per folder to the footers seen there.
    pub footer_guess_bytes: u64,
    /// From the moment its turn comes to the last byte of a GET, retries included. Default 30 s.
    #[serde(with = "millis")]
    pub get_deadline: Duration,
    /// The longest silence inside one GET before it is given up and retried. Default 5 s:
    /// `object_store` has no read timeout of its own, so a stalled body would hang.
    #[serde(with = "millis")]
    pub read_timeout: Duration,
    /// Attempts at one GET, the first included. Default 4. They come on top of the retries that
    /// the store's own client makes for a refused request.
    pub max_attempts: u32,
    /// Pause before the second attempt; doubles each time, with jitter. Default 50 ms.
    #[serde(with = "millis")]
    pub retry_pause: Duration,
    /// How long all GETs are held back when the store refuses one because it is asked too much
    /// (`503 SlowDown`, `429`). Doubles with each refusal that follows, with jitter, up to
    /// [`max_throttle_pause`](Self::max_throttle_pause), and shrinks with successes. A refusal
    /// also halves how many GETs go at once; successes bring them back one by one. Default 100 ms.
    ///
    /// The clients of `object_store` retry refused requests themselves, ten times by default, each
    /// for its own: give them few (`RetryConfig::max_retries`), so that this is told in time.
    /// They hide `Retry-After`; where a store's error tells it, it is waited for.
    #[serde(with = "millis")]
    pub throttle_pause: Duration,
    /// The longest that GETs are held back at once. Default 10 s.
    #[serde(with = "millis")]
    pub max_throttle_pause: Duration,
    /// Whether, and when, a GET that is slow to begin is sent a second time; the one that is
    /// answered first is read and the other dropped. Default none, for each such GET is paid for.
    pub hedge: Option<HedgeSettings>,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            max_concurrent_gets: 128,
            in_flight_bytes: 256 << 20,
            merge_gap_bytes: None,
            max_merge_gap_bytes: 1 << 20,
            piece_bytes: None,
            max_pieces: 8,
            unplanned_gap_bytes: 0,
            whole_split_bytes: 2 << 20,
            footer_guess_bytes: 128 << 10,
            get_deadline: Duration::from_secs(30),
            read_timeout: Duration::from_secs(5),
            max_attempts: 4,
            retry_pause: Duration::from_millis(50),
            throttle_pause: Duration::from_millis(100),
            max_throttle_pause: Duration::from_secs(10),
            hedge: None,
        }
    }
}

impl StoreSettings {
    /// Sets [`max_concurrent_gets`](Self::max_concurrent_gets).
    pub fn with_max_concurrent_gets(mut self, gets: usize) -> Self {
        self.max_concurrent_gets = gets;
        self
    }

    /// Sets [`in_flight_bytes`](Self::in_flight_bytes).
    pub fn with_in_flight_bytes(mut self, bytes: u64) -> Self {
        self.in_flight_bytes = bytes;
        self
    }

    /// Sets [`merge_gap_bytes`](Self::merge_gap_bytes).
    pub fn with_merge_gap_bytes(mut self, bytes: u64) -> Self {
        self.merge_gap_bytes = Some(bytes);
        self
    }

    /// Sets [`max_merge_gap_bytes`](Self::max_merge_gap_bytes).
    pub fn with_max_merge_gap_bytes(mut self, bytes: u64) -> Self {
        self.max_merge_gap_bytes = bytes;
        self
    }

    /// Sets [`piece_bytes`](Self::piece_bytes).
    pub fn with_piece_bytes(mut self, bytes: u64) -> Self {
        self.piece_bytes = Some(bytes);
        self
    }

    /// Sets [`max_pieces`](Self::max_pieces).
    pub fn with_max_pieces(mut self, pieces: u32) -> Self {
        self.max_pieces = pieces;
        self
    }

    /// Sets [`unplanned_gap_bytes`](Self::unplanned_gap_bytes).
    pub fn with_unplanned_gap_bytes(mut self, bytes: u64) -> Self {
        self.unplanned_gap_bytes = bytes;
        self
    }

    /// Sets [`whole_split_bytes`](Self::whole_split_bytes).
    pub fn with_whole_split_bytes(mut self, bytes: u64) -> Self {
        self.whole_split_bytes = bytes;
        self
    }

    /// Sets [`footer_guess_bytes`](Self::footer_guess_bytes).
    pub fn with_footer_guess_bytes(mut self, bytes: u64) -> Self {
        self.footer_guess_bytes = bytes;
        self
    }

    /// Sets [`get_deadline`](Self::get_deadline).
    pub fn with_get_deadline(mut self, deadline: Duration) -> Self {
        self.get_deadline = deadline;
        self
    }

    /// Sets [`read_timeout`](Self::read_timeout).
    pub fn with_read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = timeout;
        self
    }

    /// Sets [`max_attempts`](Self::max_attempts).
    pub fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets [`retry_pause`](Self::retry_pause).
    pub fn with_retry_pause(mut self, pause: Duration) -> Self {
        self.retry_pause = pause;
        self
    }

    /// Sets [`throttle_pause`](Self::throttle_pause).
    pub fn with_throttle_pause(mut self, pause: Duration) -> Self {
        self.throttle_pause = pause;
        self
    }

    /// Sets [`max_throttle_pause`](Self::max_throttle_pause).
    pub fn with_max_throttle_pause(mut self, pause: Duration) -> Self {
        self.max_throttle_pause = pause;
        self
    }

    /// Sets [`hedge`](Self::hedge).
    pub fn with_hedge(mut self, hedge: HedgeSettings) -> Self {
        self.hedge = Some(hedge);
        self
    }

    /// What is wrong with these settings, one line each; empty when they can be used.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut at_least_one = |name: &str, value: u64| {
            if value == 0 {
                problems.push(format!("store.{name} is 0: it must be at least 1"));
            }
        };
        at_least_one("max_concurrent_gets", self.max_concurrent_gets as u64);
        at_least_one("in_flight_bytes", self.in_flight_bytes);
        at_least_one("footer_guess_bytes", self.footer_guess_bytes);
        at_least_one("piece_bytes", self.piece_bytes.unwrap_or(1));
        at_least_one("max_pieces", u64::from(self.max_pieces));
        at_least_one("max_attempts", u64::from(self.max_attempts));
        at_least_one("get_deadline", self.get_deadline.as_millis() as u64);
        at_least_one("read_timeout", self.read_timeout.as_millis() as u64);
        at_least_one("throttle_pause", self.throttle_pause.as_millis() as u64);
        if self.max_throttle_pause < self.throttle_pause {
            problems.push("store.max_throttle_pause is below store.throttle_pause".to_owned());
        }
        problems.extend(self.hedge.iter().flat_map(HedgeSettings::problems));
        problems
    }
}

/// Durations as whole milliseconds in settings files.
pub(crate) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}
