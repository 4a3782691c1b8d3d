//! A data set's files on a web server → a folder that they can be taken over from.

use std::path::Path;

use super::DataError;

/// Fetches the four files of a set, by the names that its publisher gave them, from below a URL. False where the first of them
/// is not there: another place may have them.
///
/// # Errors
/// The server cannot be reached or refuses, one of the other files is missing or is far larger than a data set's, or the
/// folder cannot be written.
#[cfg(feature = "remote")]
pub fn download(url: &str, into: &Path) -> Result<bool, DataError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| fault(url, error.to_string()))?;
    runtime.block_on(async_io::all(url, into))
}

/// A program that was built without the network says so.
///
/// # Errors
/// Always.
#[cfg(not(feature = "remote"))]
pub fn download(url: &str, _: &Path) -> Result<bool, DataError> {
    Err(fault(
        url,
        "this ojaflow was built without a network: build it with `cargo build --features remote`".to_owned(),
    ))
}

fn fault(url: &str, found: String) -> DataError {
    DataError::Download { url: url.to_owned(), found }
}

#[cfg(feature = "remote")]
mod async_io {
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use super::super::description::Role;
    use super::super::{DataError, MAX_ITEMS, PIXELS};
    use super::fault;

    /// No answer for so long is none.
    const PATIENCE: Duration = Duration::from_secs(30);
    /// Of a file, uncompressed.
    const LARGEST: u64 = MAX_ITEMS * PIXELS as u64 + 1024;

    pub(super) async fn all(url: &str, into: &Path) -> Result<bool, DataError> {
        // Another part of the program may have chosen one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().connect_timeout(PATIENCE).read_timeout(PATIENCE).build();
        let client = client.map_err(|error| fault(url, error.to_string()))?;
        for (number, role) in Role::ALL.into_iter().enumerate() {
            let name = role.canonical_name();
            let file = format!("{}/{name}", url.trim_end_matches('/'));
            let path = into.join(name);
            match one(&client, &file, &path).await? {
                true => {}
                false if number == 0 => return Ok(false),
                false => return Err(fault(&file, "no such file, although others of the set are there".to_owned())),
            }
        }
        Ok(true)
    }

    /// False where there is no such file.
    async fn one(client: &reqwest::Client, url: &str, path: &Path) -> Result<bool, DataError> {
        let failed = |error: reqwest::Error| {
            // The cause is what says something: "connection refused".
            let mut cause: &dyn std::error::Error = &error;
            while let Some(source) = cause.source() {
                cause = source;
            }
            fault(url, cause.to_string())
        };
        let mut answer = client.get(url).send().await.map_err(failed)?;
        if matches!(answer.status().as_u16(), 403 | 404 | 410) {
            return Ok(false);
        }
        if !answer.status().is_success() {
            return Err(fault(url, format!("the server answers {}", answer.status())));
        }
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > LARGEST {
                return Err(fault(url, format!("more than {LARGEST} bytes: no file of a data set")));
            }
        }
        fs::write(path, bytes).map_err(|error| DataError::Io { action: "write", path: path.to_owned(), error })?;
        Ok(true)
    }
}
