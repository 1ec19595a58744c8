//! What `/metrics` said: Prometheus text as a list of samples.
//!
//! Only what a test asks for: name, labels, value. No types, no help texts.

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// One scrape.
#[derive(Clone, Debug)]
pub struct Metrics(Vec<(String, f64)>);

impl Metrics {
    /// Reads Prometheus text.
    pub fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        });
        Self(samples.collect())
    }

    /// The sum of all series of `name` that carry every one of `labels`.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let matching = self.0.iter().filter(|(series, _)| {
            let (found, rest) = series.split_once('{').unwrap_or((series, ""));
            let has = |(key, value): &(&str, &str)| rest.contains(&format!("{key}=\"{value}\""));
            found == name && labels.iter().all(has)
        });
        matching.map(|(_, value)| value).sum()
    }

    /// How many statements had this cache status.
    pub fn queries(&self, cache_status: &str) -> f64 {
        self.sum("jumpgate_queries_total", &[("cache_status", cache_status)])
    }

    /// How many round trips of this kind to the origin clients were spared.
    pub fn saved(&self, kind: &str) -> f64 {
        self.sum("jumpgate_round_trips_saved_total", &[("kind", kind)])
    }

    /// How many sessions were pinned for `reason`; an empty reason counts all.
    pub fn pins(&self) -> f64 {
        self.sum("jumpgate_pins_total", &[])
    }
}

/// One HTTP/1.1 GET: status and body.
///
/// # Errors
///
/// When nobody listens or the answer is not HTTP.
pub async fn get(address: std::net::SocketAddr, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").context("an HTTP answer has a head")?;
    let status = head.split(' ').nth(1).context("an HTTP answer has a status")?.parse()?;
    ensure!(head.starts_with("HTTP/1."), "not HTTP: {head}");
    Ok((status, body.to_owned()))
}
