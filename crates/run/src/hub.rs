//! Fetching tokenizers from the hub, over the same connections that everything else uses.

use std::time::Duration;

use loadgen_core::{Clock, SystemClock};
use loadgen_tokens::{Download, Downloaded};
use loadgen_wire::{Connector, ConnectorConfig, Fetched, Observation, Request, Target};

/// Longest file taken, in bytes: the largest tokenizers are some tens of megabytes.
const LONGEST_FILE: usize = 256 << 20;
/// The most redirects followed.
const MOST_REDIRECTS: u32 = 10;

/// The hub, reached with this configuration.
#[derive(Debug)]
pub struct Hub {
    connector: ConnectorConfig,
}

impl Hub {
    /// Reaches the hub as `connector` says.
    pub fn new(connector: ConnectorConfig) -> Self {
        Self { connector }
    }
}

impl Download for Hub {
    fn get(&self, url: &str, token: Option<&str>, deadline: Duration) -> Result<Option<Downloaded>, String> {
        let clock = SystemClock::start();
        let connector = Connector::new(self.connector.clone(), clock).map_err(|error| error.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let local = tokio::task::LocalSet::new();
        runtime.block_on(local.run_until(async {
            let fetched = tokio::time::timeout(deadline, follow(&connector, clock, url, token)).await;
            fetched.unwrap_or_else(|_elapsed| Err(format!("no answer within {} s", deadline.as_secs())))
        }))
    }
}

/// Gets a file, wherever the hub says it lies. The token goes to the first host only.
async fn follow(
    connector: &Connector,
    clock: SystemClock,
    url: &str,
    token: Option<&str>,
) -> Result<Option<Downloaded>, String> {
    let (origin, path) = split(url)?;
    let (mut origin, mut path) = (origin.to_owned(), path.to_owned());
    let mut token = token;
    let mut commit = None;
    for _ in 0..MOST_REDIRECTS {
        let answer = fetch(connector, clock, &origin, &path, token).await?;
        commit = commit.or_else(|| answer.header("x-repo-commit").map(str::to_owned));
        match answer.status {
            200 => return Ok(Some(Downloaded { bytes: answer.body.to_vec(), commit })),
            404 => return Ok(None),
            301 | 302 | 303 | 307 | 308 => {
                let location = answer.header("location").ok_or("a redirect that leads nowhere")?;
                if location.starts_with('/') {
                    location.clone_into(&mut path);
                    continue;
                }
                let (next, rest) = split(location)?;
                if next != origin {
                    token = None;
                }
                (origin, path) = (next.to_owned(), rest.to_owned());
            }
            status => return Err(format!("{origin} answered with status {status}")),
        }
    }
    Err(format!("more than {MOST_REDIRECTS} redirects"))
}

async fn fetch(
    connector: &Connector,
    clock: SystemClock,
    origin: &str,
    path: &str,
    token: Option<&str>,
) -> Result<Fetched, String> {
    let target = Target::parse(origin).map_err(|error| error.to_string())?;
    let authorization = token.map(|token| format!("Bearer {token}"));
    let headers = authorization.as_deref().map(|value| ("authorization", value));
    let request = Request::get(&target, path, headers).ok_or("HF_TOKEN cannot be sent as a header")?;
    let mut observation = Observation::starting_at(clock.now());
    let mut connection =
        connector.connect(&target, &mut observation).await.map_err(|failure| failure.to_string())?;
    connection.fetch(request, LONGEST_FILE).await.map_err(|error| error.message)
}

/// A URL's origin, and its path and query.
fn split(url: &str) -> Result<(&str, &str), String> {
    let host = url.find("://").map(|at| at + 3).ok_or_else(|| format!("{url} is not a URL"))?;
    let path = url[host..].find('/').map_or(url.len(), |at| host + at);
    Ok((&url[..path], if path == url.len() { "/" } else { &url[path..] }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Answers each connection with the next of `answers`, and gives what was asked.
    fn serve(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            answers
                .into_iter()
                .map(|answer| {
                    let (mut stream, _) = listener.accept().unwrap();
                    let mut request = [0; 4096];
                    let length = stream.read(&mut request).unwrap();
                    stream.write_all(answer.as_bytes()).unwrap();
                    String::from_utf8_lossy(&request[..length]).into_owned()
                })
                .collect()
        });
        (url, thread)
    }

    #[test]
    fn redirects_are_followed_and_the_token_stays_with_the_first_host() {
        let (elsewhere, second) = serve(vec!["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_owned()]);
        let redirect = format!(
            "HTTP/1.1 302 Found\r\nX-Repo-Commit: abc\r\nLocation: {elsewhere}/blob?x=1\r\nContent-Length: 0\r\n\r\n"
        );
        let (hub, first) = serve(vec![redirect]);
        let got = Hub::new(ConnectorConfig::default())
            .get(
                &format!("{hub}/a/b/resolve/main/tokenizer.json"),
                Some("hf_secret"),
                Duration::from_secs(10),
            )
            .unwrap()
            .unwrap();
        assert_eq!(got, Downloaded { bytes: b"{}".to_vec(), commit: Some("abc".to_owned()) });
        let asked = first.join().unwrap().remove(0).to_ascii_lowercase();
        assert!(asked.starts_with("get /a/b/resolve/main/tokenizer.json"), "{asked}");
        assert!(asked.contains("bearer hf_secret"));
        let asked = second.join().unwrap().remove(0);
        assert!(asked.starts_with("GET /blob?x=1") && !asked.contains("hf_secret"), "{asked}");
    }

    #[test]
    fn a_file_that_is_not_there_is_no_error_and_a_refusal_is() {
        let answer = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        let (hub, asked) = serve(vec![answer("404 Not Found"), answer("401 Unauthorized")]);
        let get =
            || Hub::new(ConnectorConfig::default()).get(&format!("{hub}/x"), None, Duration::from_secs(10));
        assert_eq!(get(), Ok(None));
        assert!(get().unwrap_err().contains("401"));
        asked.join().unwrap();
    }

    #[test]
    fn what_cannot_be_reached_is_said_in_plain_words() {
        let refused = format!("http://127.0.0.1:{}/x", closed_port());
        let error = Hub::new(ConnectorConfig::default()).get(&refused, None, Duration::from_secs(10));
        let error = error.unwrap_err();
        assert!(error.contains("refused") && !error.contains("ConnectionKey"), "{error}");
    }

    /// A port that nobody listens on.
    fn closed_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn urls_are_split_after_the_host() {
        assert_eq!(split("https://a.b/c?d"), Ok(("https://a.b", "/c?d")));
        assert_eq!(split("https://a.b"), Ok(("https://a.b", "/")));
        assert!(split("a.b/c").is_err());
    }
}
