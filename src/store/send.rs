//! Sending one request and taking in its body.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, GetResult, GetResultPayload};
use tokio::time::timeout;

use super::attempt::Attempt;
use super::failure::{Failure, changed, classify, stalled};
use super::{Fetcher, ObjectVersion};
use crate::error::{Error, ErrorKind};
use crate::telemetry::list;

impl Fetcher {
    pub(super) async fn send(
        &self,
        path: &Path,
        options: GetOptions,
        expected: Option<&ObjectVersion>,
        attempt: &Attempt,
    ) -> Result<GetResult, Failure> {
        let answer = timeout(
            self.settings().read_timeout,
            self.store().get_opts(path, options),
        );
        let Ok(answer) = answer.await else {
            return Err(Failure::Retry(stalled(path, self.settings().read_timeout)));
        };
        let result = match answer {
            // Refused by the client before anything was sent: not a request.
            Err(error @ object_store::Error::NotSupported { .. }) => {
                attempt.withdraw();
                return Err(classify(path, error));
            }
            result => {
                attempt.answered(result.as_ref().ok().map(|result| &result.range));
                result.map_err(|error| classify(path, error))?
            }
        };
        if let Some(version) = expected
            && !version.agrees_with(&result.meta)
        {
            return Err(Failure::Final(changed(path)));
        }
        Ok(result)
    }

    /// Collects the body in the empty `body`, and checks that it is as long as its range.
    pub(super) async fn body(
        &self,
        result: GetResult,
        path: &Path,
        attempt: &Attempt,
        mut body: BytesMut,
    ) -> Result<BytesMut, Failure> {
        let expected = result.range.end.saturating_sub(result.range.start);
        let wrong_length = |got: u64| {
            Failure::Retry(Error::new(
                ErrorKind::Store,
                format!("GET of {path} returned a body of {got} bytes where {expected} were due"),
            ))
        };
        match result.payload {
            GetResultPayload::Stream(mut stream) => {
                while let Some(chunk) =
                    timeout(self.settings().read_timeout, stream.next())
                        .await
                        .map_err(|_| Failure::Retry(stalled(path, self.settings().read_timeout)))?
                {
                    let chunk = chunk.map_err(|error| classify(path, error))?;
                    let so_far = body.len() as u64 + chunk.len() as u64;
                    if so_far > expected {
                        return Err(wrong_length(so_far));
                    }
                    attempt.received(chunk.len() as u64);
                    append(&mut body, chunk, expected);
                }
            }
            payload => {
                let bytes = GetResult { payload, ..result }.bytes();
                let bytes = timeout(self.settings().read_timeout, bytes)
                    .await
                    .map_err(|_| Failure::Retry(stalled(path, self.settings().read_timeout)))?
                    .map_err(|error| classify(path, error))?;
                if bytes.len() as u64 > expected {
                    return Err(wrong_length(bytes.len() as u64));
                }
                attempt.received(bytes.len() as u64);
                append(&mut body, bytes, expected);
            }
        }
        list::STORE_BYTES.add(body.len() as u64);
        if body.len() as u64 == expected {
            Ok(body)
        } else {
            Err(wrong_length(body.len() as u64))
        }
    }
}

/// Appends `chunk` to `body`; a body that arrives in one piece is moved where nobody shares it and
/// no room was made for it.
fn append(body: &mut BytesMut, chunk: Bytes, expected: u64) {
    let chunk = if body.capacity() == 0 && chunk.len() as u64 == expected {
        match chunk.try_into_mut() {
            Ok(whole) => {
                *body = whole;
                return;
            }
            Err(shared) => shared,
        }
    } else {
        chunk
    };
    if body.is_empty() {
        // Never more than the length that was asked for, which the object bounds.
        body.reserve(usize::try_from(expected).unwrap_or(0));
    }
    body.extend_from_slice(&chunk);
}
