//! What the server stores, and the requests that need nothing but that.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use hyper::header::{self, HeaderMap};
use hyper::{Response, StatusCode, Uri};
use object_store::path::Path;
use sha2::{Digest, Sha256};
use tantivy::time::OffsetDateTime;
use tantivy::time::format_description::well_known::{Rfc2822, Rfc3339};

use super::{BUCKET, Body, error, respond, set};

/// Entries on one page of a list.
const PAGE: usize = 3;

pub struct Object {
    pub bytes: Bytes,
    etag: String,
    modified: OffsetDateTime,
}

#[derive(Default)]
pub struct Objects {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, BTreeMap<u32, Bytes>>,
    started: u64,
}

/// The parameters of a request.
pub struct Query(Vec<(String, String)>);

/// Which object (empty: the bucket itself) and parameters a request is about; `None` if it is not
/// about the one bucket.
pub fn target(uri: &Uri) -> Option<(String, Query)> {
    let query = url::form_urlencoded::parse(uri.query().unwrap_or("").as_bytes());
    Some((key(uri.path())?, Query(query.into_owned().collect())))
}

/// The key in the encoded path `/bucket/key`.
fn key(path: &str) -> Option<String> {
    let path = Path::from_url_path(path).ok()?;
    let (bucket, key) = path.as_ref().split_once('/').unwrap_or((path.as_ref(), ""));
    (bucket == BUCKET).then(|| key.to_owned())
}

/// The range a GET of an object of `size` bytes asks for: `Ok(None)` for all of it, `Err` when there
/// is no such range.
pub fn requested_range(headers: &HeaderMap, size: usize) -> Result<Option<Range<usize>>, ()> {
    let Some(value) = headers.get(header::RANGE) else {
        return Ok(None);
    };
    let value = value.to_str().map_err(drop)?;
    let (first, last) = value
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
        .ok_or(())?;
    let range = match (first, last) {
        ("", suffix) => size.saturating_sub(suffix.parse().map_err(drop)?)..size,
        (first, "") => first.parse().map_err(drop)?..size,
        (first, last) => {
            let last: usize = last.parse().map_err(drop)?;
            first.parse().map_err(drop)?..size.min(last.saturating_add(1))
        }
    };
    if range.is_empty() {
        Err(())
    } else {
        Ok(Some(range))
    }
}

impl Query {
    fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Object {
    fn new(bytes: Bytes) -> Self {
        let digest = Sha256::digest(&bytes);
        let hex: String = digest
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            bytes,
            etag: format!("\"{hex}\""),
            modified: OffsetDateTime::now_utc(),
        }
    }

    /// An answer without a body yet that describes the object.
    pub fn headers(&self) -> Response<Body> {
        let mut response = respond(StatusCode::OK, Bytes::new());
        set(&mut response, header::ETAG, self.etag.clone());
        set(&mut response, header::ACCEPT_RANGES, "bytes".to_owned());
        let modified = self
            .modified
            .format(&Rfc2822)
            .expect("a date of this century");
        set(&mut response, header::LAST_MODIFIED, modified);
        response
    }

    /// The answer if a condition of the request does not hold.
    pub fn refusal(&self, headers: &HeaderMap) -> Option<Response<Body>> {
        let names = |value: &header::HeaderValue| {
            value.to_str().is_ok_and(|value| {
                value == "*" || value.split(',').any(|etag| etag.trim() == self.etag)
            })
        };
        if headers
            .get(header::IF_MATCH)
            .is_some_and(|value| !names(value))
        {
            return Some(error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed"));
        }
        let unchanged = headers.get(header::IF_NONE_MATCH).is_some_and(names);
        unchanged.then(|| respond(StatusCode::NOT_MODIFIED, Bytes::new()))
    }
}

impl Objects {
    pub fn object(&self, key: &str) -> Option<&Object> {
        self.objects.get(key)
    }

    /// Replaces an object by another of the same length.
    pub fn replace(&mut self, key: &str) {
        if let Some(object) = self.objects.get_mut(key) {
            let bytes: Vec<u8> = object.bytes.iter().map(|byte| byte ^ 0xff).collect();
            *object = Object::new(bytes.into());
        }
    }

    pub fn put(
        &mut self,
        key: &str,
        query: &Query,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Response<Body> {
        if let (Some(upload), Some(part)) = (query.value("uploadId"), query.value("partNumber")) {
            return self.put_part(upload, part, body);
        }
        let existing = self.objects.get(key);
        let refused = existing
            .and_then(|object| object.refusal(headers))
            .is_some()
            || (existing.is_none() && headers.contains_key(header::IF_MATCH));
        if refused {
            return error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        let source = headers
            .get("x-amz-copy-source")
            .and_then(|source| source.to_str().ok());
        let (body, copied) = match source {
            None => (body, false),
            Some(source) => match self::key(source).and_then(|key| self.objects.get(&key)) {
                Some(object) => (object.bytes.clone(), true),
                None => return error(StatusCode::NOT_FOUND, "NoSuchKey"),
            },
        };
        let object = Object::new(body);
        let mut response = object.headers();
        if copied {
            let result = format!(
                "<CopyObjectResult><ETag>{}</ETag></CopyObjectResult>",
                object.etag
            );
            *response.body_mut() = super::full(result);
        }
        self.objects.insert(key.to_owned(), object);
        response
    }

    fn put_part(&mut self, upload: &str, part: &str, body: Bytes) -> Response<Body> {
        let (Some(parts), Ok(part)) = (self.uploads.get_mut(upload), part.parse()) else {
            return error(StatusCode::NOT_FOUND, "NoSuchUpload");
        };
        let response = Object::new(body.clone()).headers();
        parts.insert(part, body);
        response
    }

    pub fn post(&mut self, key: &str, query: &Query, body: &Bytes) -> Response<Body> {
        if query.value("delete").is_some() {
            return self.delete_many(body);
        }
        if query.value("uploads").is_some() {
            self.started += 1;
            let upload = format!("upload-{}", self.started);
            let body = format!(
                "<InitiateMultipartUploadResult><UploadId>{upload}</UploadId>\
                 </InitiateMultipartUploadResult>"
            );
            self.uploads.insert(upload, BTreeMap::new());
            return respond(StatusCode::OK, body);
        }
        let Some(parts) = query
            .value("uploadId")
            .and_then(|upload| self.uploads.remove(upload))
        else {
            return error(StatusCode::NOT_FOUND, "NoSuchUpload");
        };
        let object = Object::new(parts.into_values().flatten().collect());
        let body = format!(
            "<CompleteMultipartUploadResult><ETag>{}</ETag></CompleteMultipartUploadResult>",
            object.etag
        );
        self.objects.insert(key.to_owned(), object);
        respond(StatusCode::OK, body)
    }

    fn delete_many(&mut self, body: &Bytes) -> Response<Body> {
        let body = String::from_utf8_lossy(body);
        let keys = body
            .split("<Key>")
            .skip(1)
            .filter_map(|rest| rest.split("</Key>").next());
        let mut deleted = String::new();
        for key in keys {
            self.objects.remove(&unescape(key));
            deleted.push_str(&format!("<Deleted><Key>{key}</Key></Deleted>"));
        }
        respond(
            StatusCode::OK,
            format!("<DeleteResult>{deleted}</DeleteResult>"),
        )
    }

    pub fn delete(&mut self, key: &str, query: &Query) -> Response<Body> {
        match query.value("uploadId") {
            Some(upload) => drop(self.uploads.remove(upload)),
            None => drop(self.objects.remove(key)),
        }
        respond(StatusCode::NO_CONTENT, Bytes::new())
    }

    pub fn list(&self, query: &Query) -> Response<Body> {
        let prefix = query.value("prefix").unwrap_or("");
        let after = query
            .value("continuation-token")
            .or(query.value("start-after"));
        let mut entries: BTreeMap<String, Option<&Object>> = BTreeMap::new();
        for (key, object) in &self.objects {
            let Some(rest) = key.strip_prefix(prefix) else {
                continue;
            };
            let folder = query
                .value("delimiter")
                .and_then(|d| Some(rest.find(d)? + d.len()));
            match folder {
                Some(end) => entries.insert(key[..prefix.len() + end].to_owned(), None),
                None => entries.insert(key.clone(), Some(object)),
            };
        }
        let mut rest = entries
            .iter()
            .filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
        let mut body = String::new();
        let mut last = "";
        for (key, object) in rest.by_ref().take(PAGE) {
            last = key;
            match object {
                Some(object) => body.push_str(&contents(key, object)),
                None => {
                    let prefix = escape(key);
                    body.push_str(&format!(
                        "<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>"
                    ));
                }
            }
        }
        if rest.next().is_some() {
            let token = escape(last);
            body.push_str(&format!(
                "<NextContinuationToken>{token}</NextContinuationToken>"
            ));
        }
        respond(
            StatusCode::OK,
            format!("<ListBucketResult>{body}</ListBucketResult>"),
        )
    }
}

fn contents(key: &str, object: &Object) -> String {
    let modified = object
        .modified
        .format(&Rfc3339)
        .expect("a date of this century");
    format!(
        "<Contents><Key>{}</Key><Size>{}</Size><LastModified>{modified}</LastModified>\
         <ETag>{}</ETag></Contents>",
        escape(key),
        object.bytes.len(),
        escape(&object.etag),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn unescape(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&gt;", ">")
        .replace("&lt;", "<")
        .replace("&amp;", "&")
}
