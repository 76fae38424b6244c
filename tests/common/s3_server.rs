//! A small S3 server on a real socket, with latency and faults that a test sets while it runs.
//!
//! It speaks what object_store's `AmazonS3` asks for, path-style: GET (bounded, open and suffix
//! ranges, `If-Match`, `If-None-Match`), HEAD, PUT (also conditional, and copies), multipart uploads,
//! DELETE, DeleteObjects and ListObjectsV2, whose pages are tiny so that lists are really paged.
//! Signatures are not checked. It runs on a thread and runtime of its own, so that a test may block
//! its own threads, or pause its own clock.

mod objects;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use self::objects::{Objects, requested_range};

/// The one bucket.
pub const BUCKET: &str = "forewarm";

type Body = BoxBody<Bytes, io::Error>;

/// What goes wrong with one GET of an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// One bit in the middle of the body differs; headers are right.
    FlippedBit,
    /// Just before it is read, the object is replaced by one with other bytes and another ETag.
    Replaced,
    /// The connection is reset (RST) in the middle of the body.
    Reset,
    /// The body is half as long as `Content-Range` says, with a `Content-Length` that agrees with
    /// the body: nothing in HTTP tells that half is missing.
    ShortBody,
    /// The answer is `503 SlowDown`.
    SlowDown,
    /// The body stops half-way, and the connection stays open.
    Stall,
    /// The connection is closed half-way through the promised `Content-Length`.
    Truncate,
    /// `Content-Range` names the bytes one further than those that were asked for.
    WrongRange,
}

/// What the server has done since it started, or since [`S3Server::reset_counts`].
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// GETs of objects by key, failed ones included.
    pub gets: HashMap<String, u64>,
    /// HEADs of objects.
    pub heads: u64,
    /// Bytes of the bodies of GETs of objects, as promised by their headers.
    pub bytes: u64,
    /// The most GETs of objects that were being answered (up to their first byte) at one time.
    pub peak: u64,
}

/// A running server; dropping it stops it.
pub struct S3Server {
    address: SocketAddr,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
}

#[derive(Default)]
struct State(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    objects: Objects,
    counts: Counts,
    faults: VecDeque<Fault>,
    latency: Option<(Duration, StdRng)>,
    running: u64,
}

impl S3Server {
    /// Starts an empty server on a free port of 127.0.0.1.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener
            .set_nonblocking(true)
            .expect("a non-blocking listener");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State::default());
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = serve(listener, served) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            state,
            stop: Some(stop),
        }
    }

    /// Its URL, without the bucket.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client of it whose retries are quick and few, and whose reads time out after 2 s.
    pub fn store(&self) -> AmazonS3 {
        self.store_with_retries(3)
    }

    /// Like [`store`](Self::store), giving up after `max_retries`.
    pub fn store_with_retries(&self, max_retries: usize) -> AmazonS3 {
        let backoff = BackoffConfig {
            init_backoff: Duration::from_millis(1),
            max_backoff: Duration::from_millis(20),
            base: 2.0,
        };
        let retry = RetryConfig {
            backoff,
            max_retries,
            retry_timeout: Duration::from_secs(20),
        };
        let client = ClientOptions::new()
            .with_allow_http(true)
            .with_read_timeout(Duration::from_secs(2));
        AmazonS3Builder::new()
            .with_endpoint(self.endpoint())
            .with_bucket_name(BUCKET)
            .with_region("us-east-1")
            .with_access_key_id("forewarm")
            .with_secret_access_key("forewarm-secret")
            .with_virtual_hosted_style_request(false)
            .with_client_options(client)
            .with_retry(retry)
            .build()
            .expect("valid settings")
    }

    /// The next `times` GETs of objects meet `fault`, after those faults that are still due.
    pub fn inject(&self, fault: Fault, times: usize) {
        self.state
            .lock()
            .faults
            .extend(std::iter::repeat_n(fault, times));
    }

    /// Takes back the faults that no GET has met yet.
    pub fn clear_faults(&self) {
        self.state.lock().faults.clear();
    }

    /// From now on every answer waits for 0.5 to 1.5 times `mean`, in an order that `seed` decides.
    pub fn set_latency(&self, mean: Duration, seed: u64) {
        self.state.lock().latency = Some((mean, StdRng::seed_from_u64(seed)));
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        self.state.lock().counts.clone()
    }

    /// Counts from zero again.
    pub fn reset_counts(&self) {
        self.state.lock().counts = Counts::default();
    }
}

impl Counts {
    /// GETs of all objects.
    pub fn all_gets(&self) -> u64 {
        self.gets.values().sum()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended already: then there is nothing to stop.
            let _ = stop.send(());
        }
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw_latency(&self) -> Duration {
        match &mut self.lock().latency {
            Some((mean, rng)) => mean.mul_f64(rng.random_range(0.5..1.5)),
            None => Duration::ZERO,
        }
    }
}

async fn serve(listener: std::net::TcpListener, state: Arc<State>) {
    let listener = TcpListener::from_std(listener).expect("a registered listener");
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            continue;
        };
        tokio::spawn(serve_connection(socket, Arc::clone(&state)));
    }
}

async fn serve_connection(socket: TcpStream, state: Arc<State>) {
    // A second handle on the socket: hyper owns the first one, and a reset is set on the socket.
    let Ok(socket) = socket.into_std() else {
        return;
    };
    let Ok(control) = socket.try_clone().and_then(TcpStream::from_std) else {
        return;
    };
    let Ok(socket) = TcpStream::from_std(socket) else {
        return;
    };
    let control = Arc::new(control);
    let service = service_fn(|request| {
        let (state, control) = (Arc::clone(&state), Arc::clone(&control));
        async move { answer(&state, &control, request).await }
    });
    // A connection that a fault breaks ends with an error here, as it should.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

async fn answer(
    state: &State,
    control: &TcpStream,
    request: Request<Incoming>,
) -> Result<Response<Body>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let Some((key, query)) = objects::target(&head.uri) else {
        return Ok(error(StatusCode::NOT_FOUND, "NoSuchBucket"));
    };
    let read = !key.is_empty() && head.method == Method::GET;
    if read {
        state.lock().begin_get(&key);
    }
    tokio::time::sleep(state.draw_latency()).await;
    let mut inner = state.lock();
    let answer = match head.method {
        Method::GET if read => {
            inner.running -= 1;
            let fault = inner.faults.pop_front();
            inner.get(&key, &head.headers, fault, control)
        }
        Method::HEAD => inner.head(&key, &head.headers),
        Method::GET => inner.objects.list(&query),
        Method::PUT => inner.objects.put(&key, &query, &head.headers, body),
        Method::POST => inner.objects.post(&key, &query, &body),
        Method::DELETE => inner.objects.delete(&key, &query),
        _ => error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
    };
    Ok(answer)
}

impl Inner {
    fn begin_get(&mut self, key: &str) {
        *self.counts.gets.entry(key.to_owned()).or_default() += 1;
        self.running += 1;
        self.counts.peak = self.counts.peak.max(self.running);
    }

    fn get(
        &mut self,
        key: &str,
        headers: &header::HeaderMap,
        fault: Option<Fault>,
        control: &TcpStream,
    ) -> Response<Body> {
        if fault == Some(Fault::SlowDown) {
            return error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown");
        }
        if fault == Some(Fault::Replaced) {
            self.objects.replace(key);
        }
        let Some(object) = self.objects.object(key) else {
            return error(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        if let Some(refusal) = object.refusal(headers) {
            return refusal;
        }
        let size = object.bytes.len();
        let (range, partial) = match requested_range(headers, size) {
            Ok(Some(range)) => (range, true),
            Ok(None) => (0..size, false),
            Err(()) => {
                let mut refusal = error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
                set(
                    &mut refusal,
                    header::CONTENT_RANGE,
                    format!("bytes */{size}"),
                );
                return refusal;
            }
        };
        let bytes = object.bytes.slice(range.clone());
        self.counts.bytes += bytes.len() as u64;
        let mut response = object.headers();
        if partial {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let shift = usize::from(fault == Some(Fault::WrongRange));
            let (first, last) = (range.start + shift, range.end + shift - 1);
            set(
                &mut response,
                header::CONTENT_RANGE,
                format!("bytes {first}-{last}/{size}"),
            );
        }
        let promised = match fault {
            Some(Fault::ShortBody) => bytes.len() / 2,
            _ => bytes.len(),
        };
        set(&mut response, header::CONTENT_LENGTH, promised.to_string());
        *response.body_mut() = faulty_body(bytes, fault);
        if fault == Some(Fault::Reset) {
            control
                .set_zero_linger()
                .expect("a socket that takes options");
        }
        response
    }

    fn head(&mut self, key: &str, headers: &header::HeaderMap) -> Response<Body> {
        self.counts.heads += 1;
        let Some(object) = self.objects.object(key) else {
            return error(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        object.refusal(headers).unwrap_or_else(|| {
            let mut response = object.headers();
            set(
                &mut response,
                header::CONTENT_LENGTH,
                object.bytes.len().to_string(),
            );
            response
        })
    }
}

/// The body as `fault` leaves it.
fn faulty_body(bytes: Bytes, fault: Option<Fault>) -> Body {
    let half = bytes.slice(..bytes.len() / 2);
    let frame = stream::iter([Ok(Frame::data(half.clone()))]);
    match fault {
        Some(Fault::FlippedBit) => {
            let mut bytes = bytes.to_vec();
            if let Some(byte) = bytes.get_mut(half.len()) {
                *byte ^= 1;
            }
            full(bytes)
        }
        Some(Fault::ShortBody) => full(half),
        Some(Fault::Stall) => BodyExt::boxed(StreamBody::new(frame.chain(stream::pending()))),
        Some(Fault::Reset | Fault::Truncate) => {
            let cut = stream::once(async {
                // Lets hyper write the first half before the error makes it drop the connection.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(io::Error::other("cut by a fault"))
            });
            BodyExt::boxed(StreamBody::new(frame.chain(cut)))
        }
        _ => full(bytes),
    }
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed()
}

fn respond(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response
}

fn error(status: StatusCode, code: &str) -> Response<Body> {
    respond(
        status,
        format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>"),
    )
}

fn set(response: &mut Response<Body>, name: header::HeaderName, value: String) {
    let value = header::HeaderValue::try_from(value).expect("a valid header");
    response.headers_mut().insert(name, value);
}
