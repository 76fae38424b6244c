//! From what a user types to a store and the splits in it.
//!
//! A place is a split, or a prefix that holds `*.split`. It is written as a plain path or as a URL
//! (`file://`, `s3://`, `az://`, `gs://`, `memory://`, and whatever else object_store knows).

use std::path::{Path as FilePath, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use forewarm::{
    DirectoryPlans, HotSetFile, HotSetObject, ManagerBuilder, ObjectPlans, PlanStore, SplitAddress,
};
use futures_util::TryStreamExt;
use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;
use object_store::gcp::GoogleConfigKey;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ClientConfigKey, ObjectStore, ObjectStoreExt, ObjectStoreScheme};
use url::Url;

use crate::failure::{Failure, Outcome};

/// The name's end by which splits are recognised.
pub(crate) const SPLIT_SUFFIX: &str = ".split";

/// A store and a path in it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) path: Path,
    /// What the user typed.
    pub(crate) text: String,
}

/// The splits found at a place, in the order of their paths.
#[derive(Clone, Debug)]
pub(crate) struct Splits {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) addresses: Vec<SplitAddress>,
}

/// Parses `key=value`.
pub(crate) fn parse_option(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err("an option is written key=value".to_owned()),
    }
}

impl Place {
    /// The place that a command reads from.
    ///
    /// # Errors
    ///
    /// A usage failure for a URL or an option that nobody understands, a failure of the run where
    /// a local path does not exist.
    pub(crate) fn to_read(text: &str, options: &[(String, String)]) -> Outcome<Self> {
        match parse(text)? {
            Parsed::Local(path) => {
                reject_options(options)?;
                let metadata = std::fs::metadata(&path)
                    .map_err(|error| Failure::caused(format!("cannot read {text}"), &error))?;
                if metadata.is_dir() {
                    local_folder(&path, text)
                } else {
                    local_file(&path, text)
                }
            }
            Parsed::Remote(url) => remote(&url, text, options),
        }
    }

    /// The place that a command writes to; a local folder is made if it is missing.
    ///
    /// # Errors
    ///
    /// As [`to_read`](Self::to_read), and when the folder cannot be made.
    pub(crate) fn to_write(text: &str, options: &[(String, String)]) -> Outcome<Self> {
        match parse(text)? {
            Parsed::Local(path) => {
                reject_options(options)?;
                let single = text.ends_with(SPLIT_SUFFIX);
                let folder = if single { parent(&path) } else { path.clone() };
                std::fs::create_dir_all(&folder)
                    .map_err(|error| Failure::caused(format!("cannot make {text}"), &error))?;
                if single {
                    local_file(&path, text)
                } else {
                    local_folder(&path, text)
                }
            }
            Parsed::Remote(url) => remote(&url, text, options),
        }
    }

    /// Whether the place names one split rather than a prefix.
    pub(crate) fn is_split(&self) -> bool {
        self.text.ends_with(SPLIT_SUFFIX)
    }

    /// The splits at this place: itself, or all `*.split` below it.
    ///
    /// # Errors
    ///
    /// When the store cannot be listed, or holds no split there.
    pub(crate) async fn splits(self) -> Outcome<Splits> {
        let Self { store, path, text } = self;
        if text.ends_with(SPLIT_SUFFIX) && !path.as_ref().is_empty() {
            return Ok(Splits {
                store,
                addresses: vec![SplitAddress::new(path)],
            });
        }
        let prefix = (!path.as_ref().is_empty()).then_some(&path);
        let mut addresses: Vec<SplitAddress> = store
            .list(prefix)
            .try_filter_map(|object| async move {
                let found = object.location.as_ref().ends_with(SPLIT_SUFFIX);
                Ok(found.then(|| SplitAddress::new(object.location).with_size(object.size)))
            })
            .try_collect()
            .await
            .map_err(|error| Failure::caused(format!("cannot list {text}"), &error))?;
        if addresses.is_empty() {
            // An object need not be called *.split to be one.
            let whole = prefix.is_some() && store.head(&path).await.is_ok();
            if !whole {
                return Err(Failure::failed(format!("no *{SPLIT_SUFFIX} at {text}")));
            }
            addresses.push(SplitAddress::new(path));
        }
        addresses.sort_unstable_by(|a, b| a.path().cmp(b.path()));
        Ok(Splits { store, addresses })
    }
}

/// A place to keep plans in. Options are those of the splits' store, so a local folder needs none.
///
/// # Errors
///
/// A usage failure for a URL or an option that nobody understands.
pub(crate) fn plan_store(text: &str, options: &[(String, String)]) -> Outcome<Arc<dyn PlanStore>> {
    match parse(text)? {
        Parsed::Local(path) => Ok(Arc::new(DirectoryPlans::new(path))),
        Parsed::Remote(url) => {
            let Place { store, path, .. } = remote(&url, text, options)?;
            Ok(Arc::new(ObjectPlans::new(store, path)))
        }
    }
}

/// A manager that keeps what is hot at a place: a file, or an object. Options are those of the
/// splits' store.
///
/// # Errors
///
/// A usage failure for a URL or an option that nobody understands.
pub(crate) fn hot_set(
    manager: ManagerBuilder,
    text: &str,
    options: &[(String, String)],
) -> Outcome<ManagerBuilder> {
    match parse(text)? {
        Parsed::Local(path) => Ok(manager.hot_set(HotSetFile::new(path)?)),
        Parsed::Remote(url) => {
            let Place { store, path, .. } = remote(&url, text, options)?;
            Ok(manager.hot_set(HotSetObject::new(store, path)))
        }
    }
}

#[derive(Debug, Eq, PartialEq)]
enum Parsed {
    Local(PathBuf),
    Remote(Url),
}

/// Tells URLs from plain paths: only `scheme://` makes a URL, so `C:\data` and `a:b` are paths.
fn parse(text: &str) -> Outcome<Parsed> {
    if text.is_empty() {
        return Err(Failure::usage("an empty path names nothing"));
    }
    let Some((scheme, _)) = text.split_once("://") else {
        return Ok(Parsed::Local(PathBuf::from(text)));
    };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if !is_scheme {
        return Ok(Parsed::Local(PathBuf::from(text)));
    }
    let url = Url::parse(text)
        .map_err(|error| Failure::usage(format!("`{text}` is not a URL: {error}")))?;
    if url.scheme() == "file" {
        let path = url.to_file_path().map_err(|()| {
            Failure::usage(format!(
                "`{text}` is not a local path: write file:///folder/name"
            ))
        })?;
        return Ok(Parsed::Local(path));
    }
    Ok(Parsed::Remote(url))
}

fn local_folder(path: &FilePath, text: &str) -> Outcome<Place> {
    // Rooted at the folder, so that odd names above it never matter, and nothing outside is read.
    let store = LocalFileSystem::new_with_prefix(path)
        .map_err(|error| Failure::caused(format!("cannot open {text}"), &error))?;
    Ok(Place {
        store: Arc::new(store),
        path: Path::default(),
        text: text.to_owned(),
    })
}

fn local_file(path: &FilePath, text: &str) -> Outcome<Place> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Failure::usage(format!("`{text}` is not a file name")))?;
    let mut place = local_folder(&parent(path), text)?;
    place.path = Path::parse(name)
        .map_err(|error| Failure::usage(format!("`{text}` cannot be a name: {error}")))?;
    Ok(place)
}

fn parent(path: &FilePath) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn reject_options(options: &[(String, String)]) -> Outcome {
    match options.first() {
        Some((key, _)) => Err(unknown_option(key, "a local path")),
        None => Ok(()),
    }
}

fn unknown_option(key: &str, place: &str) -> Failure {
    Failure::usage(format!("{place} has no option `{key}`"))
}

fn remote(url: &Url, text: &str, options: &[(String, String)]) -> Outcome<Place> {
    if url.scheme() == "memory" {
        reject_options(options)?;
        let path = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
        let path = Path::from_url_path(path)
            .map_err(|error| Failure::usage(format!("`{text}`: {error}")))?;
        return Ok(Place {
            store: Arc::new(InMemory::new()),
            path,
            text: text.to_owned(),
        });
    }
    let (scheme, _) = ObjectStoreScheme::parse(url).map_err(|_| {
        Failure::usage(format!(
            "`{text}` names no store: use a path, file://, s3://, az://, gs:// or memory://"
        ))
    })?;
    let mut settings = environment(&scheme, std::env::vars_os());
    for (key, value) in options {
        let key = key.to_ascii_lowercase();
        if !is_known(&scheme, &key) {
            return Err(unknown_option(&key, &format!("`{}://`", url.scheme())));
        }
        settings.push((key, value.clone()));
    }
    let (store, path) = object_store::parse_url_opts(url, settings)
        .map_err(|error| Failure::caused(format!("cannot open {text}"), &error))?;
    Ok(Place {
        store: Arc::from(store),
        path,
        text: text.to_owned(),
    })
}

/// The settings that object_store's own `from_env` would read for a store of this kind.
fn environment(
    scheme: &ObjectStoreScheme,
    variables: impl IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
) -> Vec<(String, String)> {
    let (prefix, alias) = match scheme {
        ObjectStoreScheme::AmazonS3 => ("AWS_", None),
        ObjectStoreScheme::GoogleCloudStorage => (
            "GOOGLE_",
            Some(("SERVICE_ACCOUNT", "google_service_account_path")),
        ),
        ObjectStoreScheme::MicrosoftAzure => {
            ("AZURE_", Some(("IDENTITY_ENDPOINT", "azure_msi_endpoint")))
        }
        _ => return Vec::new(),
    };
    let mut settings = Vec::new();
    for (key, value) in variables {
        let (Some(key), Some(value)) = (key.to_str(), value.to_str()) else {
            continue;
        };
        let key = match alias {
            Some((variable, setting)) if variable == key => setting.to_owned(),
            _ if key.starts_with(prefix) => key.to_ascii_lowercase(),
            _ => continue,
        };
        // An unknown key is somebody else's variable (AWS_PROFILE): theirs to understand.
        if is_known(scheme, &key) {
            settings.push((key, value.to_owned()));
        }
    }
    settings
}

fn is_known(scheme: &ObjectStoreScheme, key: &str) -> bool {
    match scheme {
        ObjectStoreScheme::AmazonS3 => AmazonS3ConfigKey::from_str(key).is_ok(),
        ObjectStoreScheme::GoogleCloudStorage => GoogleConfigKey::from_str(key).is_ok(),
        ObjectStoreScheme::MicrosoftAzure => AzureConfigKey::from_str(key).is_ok(),
        ObjectStoreScheme::Http => ClientConfigKey::from_str(key).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str) -> PathBuf {
        match parse(text).unwrap() {
            Parsed::Local(path) => path,
            Parsed::Remote(url) => panic!("{text} became the URL {url}"),
        }
    }

    #[test]
    fn only_a_scheme_and_two_slashes_make_a_url() {
        assert_eq!(local("splits/a.split"), PathBuf::from("splits/a.split"));
        assert_eq!(local(r"C:\splits"), PathBuf::from(r"C:\splits"));
        assert_eq!(local("odd name:here"), PathBuf::from("odd name:here"));
        assert!(matches!(parse("s3://bucket/x").unwrap(), Parsed::Remote(_)));
    }

    #[cfg(unix)]
    #[test]
    fn file_urls_are_decoded() {
        assert_eq!(
            local("file:///tmp/a%20b.split"),
            PathBuf::from("/tmp/a b.split")
        );
        assert_eq!(parse("file://host/x").unwrap_err().code(), 2);
    }

    #[test]
    fn a_url_that_names_no_store_is_a_usage_error() {
        for text in ["", "ftp://host/x", "s3://", "nothing://"] {
            assert_eq!(Place::to_read(text, &[]).unwrap_err().code(), 2, "{text}");
        }
    }

    #[test]
    fn options_are_checked_against_the_store() {
        assert_eq!(
            parse_option("region = x"),
            Ok(("region".to_owned(), " x".to_owned()))
        );
        assert_eq!(
            parse_option("a=b=c"),
            Ok(("a".to_owned(), "b=c".to_owned()))
        );
        assert!(parse_option("region").is_err());
        assert!(parse_option("=x").is_err());

        let option = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
        let region = option("AWS_REGION", "eu-central-1");
        let place = Place::to_read("s3://bucket/logs/day", &region).unwrap();
        assert_eq!(place.path, Path::from("logs/day"));
        let wrong = option("reigon", "eu-central-1");
        let failure = Place::to_read("s3://bucket/logs", &wrong).unwrap_err();
        assert_eq!(failure.to_string(), "`s3://` has no option `reigon`");
        assert_eq!(failure.code(), 2);
        assert_eq!(Place::to_read("memory://x", &wrong).unwrap_err().code(), 2);
    }

    #[test]
    fn the_environment_gives_only_the_variables_of_the_store() {
        let variables = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_PROFILE", "mine"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "me"),
            ("TOKEN", "not for us"),
            ("SERVICE_ACCOUNT", "key.json"),
        ];
        let read = |scheme| {
            environment(
                &scheme,
                variables.map(|(key, value)| (key.into(), value.into())),
            )
        };
        let pair = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
        assert_eq!(
            read(ObjectStoreScheme::AmazonS3),
            pair("aws_region", "eu-central-1")
        );
        assert_eq!(
            read(ObjectStoreScheme::GoogleCloudStorage),
            pair("google_service_account_path", "key.json")
        );
        assert_eq!(
            read(ObjectStoreScheme::MicrosoftAzure),
            pair("azure_storage_account_name", "me")
        );
        assert!(read(ObjectStoreScheme::Local).is_empty());
    }

    #[tokio::test]
    async fn a_prefix_holds_its_splits_in_order_and_a_file_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("odd näme #1");
        std::fs::create_dir_all(root.join("day=2")).unwrap();
        for name in ["b.split", "a.split", "day=2/c.split", "other.txt", "plain"] {
            std::fs::write(root.join(name), "x").unwrap();
        }
        let found = async |path: PathBuf| {
            let place = Place::to_read(path.to_str().unwrap(), &[]).unwrap();
            let splits = place.splits().await?;
            let paths = splits
                .addresses
                .iter()
                .map(|split| split.path().to_string());
            Ok::<_, Failure>(paths.collect::<Vec<_>>())
        };
        assert_eq!(
            found(root.clone()).await.unwrap(),
            ["a.split", "b.split", "day=2/c.split"]
        );
        assert_eq!(found(root.join("a.split")).await.unwrap(), ["a.split"]);
        assert_eq!(found(root.join("plain")).await.unwrap(), ["plain"]);

        std::fs::create_dir(root.join("empty")).unwrap();
        assert_eq!(found(root.join("empty")).await.unwrap_err().code(), 1);
        assert!(Place::to_read(root.join("missing").to_str().unwrap(), &[]).is_err());
    }

    #[tokio::test]
    async fn a_place_in_memory_is_empty_and_says_so() {
        let place = Place::to_read("memory://somewhere/x", &[]).unwrap();
        assert_eq!(place.path, Path::from("somewhere/x"));
        let failure = place.splits().await.unwrap_err();
        assert_eq!(failure.to_string(), "no *.split at memory://somewhere/x");
    }

    #[test]
    fn a_missing_folder_is_made_when_it_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let single = folder.path().join("new/one.split");
        let place = Place::to_write(single.to_str().unwrap(), &[]).unwrap();
        assert!(place.is_split());
        assert_eq!(place.path, Path::from("one.split"));
        assert!(folder.path().join("new").is_dir());
    }
}
