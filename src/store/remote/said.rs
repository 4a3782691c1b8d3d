//! What a request to an object store failed for, in one sentence, and what to do about it.

use std::error::Error as _;
use std::io;

use object_store::Error as Failure;

use crate::error::Error;

/// What kind of object store it is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Files,
    S3 { endpoint: Option<String> },
    Google,
    Azure,
}

/// Whom to blame.
enum Cause {
    Credentials(String),
    NoCredentials,
    NoBucket,
    Unreachable(String),
    Other(String),
}

/// The longest message of a server that is repeated.
const LONGEST: usize = 300;

/// Codes of answers, of all kinds of stores, that speak of credentials.
const REFUSED: [&str; 10] = [
    "AccessDenied",
    "AuthenticationFailed",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

pub(super) fn failed(kind: &Kind, doing: &str, url: &str, error: &Failure) -> Error {
    let (cause, help) = match Cause::of(kind, error) {
        Cause::Credentials(answer) => (format!("the credentials are refused ({answer})"), kind.credentials()),
        Cause::NoCredentials => ("there are no credentials".to_owned(), kind.credentials()),
        Cause::NoBucket => (
            "there is no such bucket".to_owned(),
            "Create it, or correct the URL; `store check` says whether a bucket is fit.".to_owned(),
        ),
        Cause::Unreachable(why) => (format!("{} cannot be reached: {why}", kind.server()), kind.unreachable()),
        Cause::Other(why) => (why, kind.again()),
    };
    Error::Store(format!("cannot {doing} {url}: {cause}\n{help}"))
}

impl Kind {
    fn server(&self) -> String {
        match self {
            Self::Files => "the folder".to_owned(),
            Self::S3 { endpoint: Some(endpoint) } => endpoint.clone(),
            Self::S3 { endpoint: None } | Self::Google | Self::Azure => "the server".to_owned(),
        }
    }

    fn credentials(&self) -> String {
        match self {
            Self::Files => "Choose a folder that can be read and written.",
            Self::S3 { .. } => {
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN and AWS_REGION where they are asked for), \
                 and AWS_ENDPOINT_URL if the bucket is not Amazon's."
            }
            Self::Google => "Set GOOGLE_SERVICE_ACCOUNT to the file of a service account that may use the bucket.",
            Self::Azure => {
                "Set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY to those of an account that may use the container."
            }
        }
        .to_owned()
    }

    pub(super) fn unreachable(&self) -> String {
        let check = match self {
            Self::Files => "Is it mounted?",
            Self::S3 { .. } => "Is it up, and is AWS_ENDPOINT_URL right?",
            Self::Google | Self::Azure => "Is there a connection?",
        };
        format!("{check} {}", self.again())
    }

    fn again(&self) -> String {
        "The same command given again goes on where this one stopped.".to_owned()
    }
}

impl Cause {
    fn of(kind: &Kind, error: &Failure) -> Self {
        // The outermost message has all that are within.
        let text = error.to_string();
        let (innermost, system) = innermost(error);
        if matches!(kind, Kind::Files) {
            return Self::Other(innermost);
        }
        // Where the cloud's own machines have their credentials from: nobody asks there who has others.
        if ["169.254.169.254", "169.254.170.2", "metadata.google.internal"].iter().any(|host| text.contains(host)) {
            return Self::NoCredentials;
        }
        let answer = element(&text, "Code").map(|code| match element(&text, "Message") {
            Some(message) => (code, shortened(&format!("{code}: {message}"))),
            None => (code, code.to_owned()),
        });
        match (answer, error) {
            (Some(("NoSuchBucket" | "ContainerNotFound", _)), _) => Self::NoBucket,
            (Some((code, said)), _) if REFUSED.contains(&code) => Self::Credentials(said),
            (said, Failure::PermissionDenied { .. } | Failure::Unauthenticated { .. }) => {
                Self::Credentials(said.map_or("403".to_owned(), |(_, said)| said))
            }
            (Some((_, said)), _) => Self::Other(said),
            // A list of nothing is empty; what is not found is the bucket.
            (None, Failure::NotFound { .. }) => Self::NoBucket,
            (None, _) if text.contains("status code: 404") => Self::NoBucket,
            (None, _) if system.is_some() || text.contains("error sending request") || text.contains("HTTP error") => {
                Self::Unreachable(innermost)
            }
            (None, _) => Self::Other(innermost),
        }
    }
}

/// The last of the causes, which says what happened, and the system's word for it.
fn innermost(error: &Failure) -> (String, Option<io::ErrorKind>) {
    let (mut last, mut system) = (error.to_string(), None);
    let mut next = error.source();
    while let Some(cause) = next {
        last = cause.to_string();
        system = cause.downcast_ref::<io::Error>().map(io::Error::kind).or(system);
        next = cause.source();
    }
    (shortened(&last), system)
}

/// The text of an element of an answer in XML.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0).filter(|text| !text.trim().is_empty())
}

/// One line, and not too long: a server may answer with a page, or with what a terminal obeys.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
