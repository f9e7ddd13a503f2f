//! Which bucket, and how to get there.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::{ClientOptions, RetryConfig};

use super::{ObjectStorage, Patience};

/// A bucket of S3, or of what speaks like it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct S3Bucket {
    /// Its name.
    pub name: String,
    /// The credentials; without them they are those of the environment.
    pub access_key: Option<String>,
    /// The secret of the key.
    pub secret_access_key: Option<String>,
    /// What temporary credentials have besides.
    pub session_token: Option<String>,
    /// Where it is; without one that of the environment.
    pub region: Option<String>,
    /// The server, if it is not Amazon's; without one that of the environment, if it names one.
    pub endpoint: Option<String>,
    /// Whether the bucket is a part of the path, and not of the name of the server.
    pub with_path_style: bool,
}

impl fmt::Debug for S3Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Secrets are not for logs.
        write!(f, "S3Bucket({})", self.name)
    }
}

/// A container of Azure.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AzureContainer {
    /// Its name.
    pub name: String,
    /// The account in which it is.
    pub account: String,
    /// The key of the account; without one, the credentials are those of the environment.
    pub password: Option<String>,
}

impl fmt::Debug for AzureContainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AzureContainer({})", self.name)
    }
}

/// A connection is there within so much time.
const CONNECTED: Duration = Duration::from_secs(5);

fn options(patience: &Patience, is_plain: bool) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(is_plain)
        .with_timeout(patience.attempt)
        .with_connect_timeout(CONNECTED.min(patience.attempt))
}

/// Attempts are made here, where each looks at the lease.
fn once() -> RetryConfig {
    RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    }
}

/// Ciphers for all connections of the process, if nobody has chosen others.
fn choose_ciphers() {
    // It fails if there are some.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn invalid(error: &object_store::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, super::trouble::text(error))
}

/// What a location is in messages.
fn location(scheme: &str, bucket: &str, root: &str) -> String {
    match root.trim_matches('/') {
        "" => format!("{scheme}://{bucket}"),
        root => format!("{scheme}://{bucket}/{root}"),
    }
}

impl S3Bucket {
    /// The objects of the bucket whose names begin with `root`. Nothing is asked yet.
    ///
    /// # Errors
    /// If the settings make no sense.
    pub fn storage(&self, root: &str, patience: Patience) -> io::Result<ObjectStorage> {
        choose_ciphers();
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(&self.name)
            .with_retry(once());
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        if let Some(key) = &self.access_key {
            builder = builder.with_access_key_id(key);
        }
        if let Some(secret) = &self.secret_access_key {
            builder = builder.with_secret_access_key(secret);
        }
        if let Some(token) = &self.session_token {
            builder = builder.with_token(token);
        }
        let given = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
        let is_in_path = match (&self.endpoint, &given) {
            // One of the environment is the server; it knows nothing of the bucket.
            (None, Some(_)) => true,
            (endpoint, _) => self.is_in_path(endpoint.as_deref()),
        };
        let endpoint = self.endpoint.clone().or(given);
        let endpoint = endpoint.map(|endpoint| self.server(&endpoint, is_in_path));
        let is_plain = endpoint
            .as_ref()
            .is_some_and(|endpoint| endpoint.starts_with("http://"));
        builder = match endpoint {
            Some(endpoint) => builder.with_endpoint(endpoint),
            None => builder,
        };
        let store = builder
            .with_virtual_hosted_style_request(!is_in_path)
            .with_client_options(options(&patience, is_plain))
            .build()
            .map_err(|error| invalid(&error))?;
        ObjectStorage::new(Arc::new(store), root, location("s3", &self.name, root), patience)
    }

    /// Whether the bucket is a part of the path. A server that has no name has none with the bucket in it.
    fn is_in_path(&self, endpoint: Option<&str>) -> bool {
        let host = endpoint.map(|endpoint| {
            let server = endpoint.split_once("://").map_or(endpoint, |(_, server)| server);
            server.split(['/', ':']).next().unwrap_or(server)
        });
        let is_number = host.is_some_and(|host| {
            host == "localhost"
                || host.starts_with('[')
                || host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        });
        self.with_path_style || is_number
    }

    /// The server with its scheme, and with the bucket in its name unless that is in the path.
    fn server(&self, endpoint: &str, is_in_path: bool) -> String {
        let (scheme, server) = endpoint.split_once("://").unwrap_or(("https", endpoint));
        let server = server.trim_end_matches('/');
        if is_in_path {
            format!("{scheme}://{server}")
        } else {
            format!("{scheme}://{}.{server}", self.name)
        }
    }
}

impl AzureContainer {
    /// The objects of the container whose names begin with `root`. Nothing is asked yet.
    ///
    /// # Errors
    /// If the settings make no sense.
    pub fn storage(&self, root: &str, patience: Patience) -> io::Result<ObjectStorage> {
        choose_ciphers();
        let mut builder = MicrosoftAzureBuilder::from_env()
            .with_account(&self.account)
            .with_container_name(&self.name)
            .with_retry(once());
        if let Some(password) = &self.password {
            builder = builder.with_access_key(password);
        }
        // Only the environment can name a server that is not Azure's, such as an emulator.
        let endpoint = builder.get_config_value(&AzureConfigKey::Endpoint);
        let is_plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
        let store = builder
            .with_client_options(options(&patience, is_plain))
            .build()
            .map_err(|error| invalid(&error))?;
        let location = location("azure", &format!("{}/{}", self.account, self.name), root);
        ObjectStorage::new(Arc::new(store), root, location, patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(endpoint: &str, with_path_style: bool) -> S3Bucket {
        S3Bucket {
            name: "b".to_owned(),
            endpoint: Some(endpoint.to_owned()),
            with_path_style,
            ..S3Bucket::default()
        }
    }

    #[test]
    fn a_server_is_called_by_the_bucket_unless_that_is_in_the_path() {
        for (endpoint, with_path_style, server) in [
            ("https://s3.example.org", false, "https://b.s3.example.org"),
            ("s3.example.org/", true, "https://s3.example.org"),
            ("http://127.0.0.1:9000", false, "http://127.0.0.1:9000"),
            ("http://localhost:9000/", false, "http://localhost:9000"),
        ] {
            let bucket = bucket(endpoint, with_path_style);
            assert_eq!(bucket.server(endpoint, bucket.is_in_path(Some(endpoint))), server);
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let bucket = S3Bucket {
            access_key: Some("key".to_owned()),
            secret_access_key: Some("secret".to_owned()),
            ..bucket("s3.example.org", false)
        };
        assert_eq!(format!("{bucket:?}"), "S3Bucket(b)");
        let storage = bucket.storage("/root/", Patience::default()).expect("settings");
        assert_eq!(format!("{storage:?}"), "ObjectStorage { place: Place(s3://b/root) }");
    }
}
