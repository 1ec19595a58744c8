//! One end of a connection, as the script plays it.

use std::time::Duration;

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt as _, DuplexStream},
    time::timeout,
};

use super::words::{Side, Words};

/// How long a line may take until somebody has heard what it says, in virtual time.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// One end of a connection, as the script plays it.
#[derive(Debug)]
pub(super) struct End {
    pub(super) side: Side,
    pub(super) stream: Option<DuplexStream>,
    input: BytesMut,
    pub(super) heard_end: bool,
}

impl End {
    pub(super) fn new(side: Side, stream: DuplexStream) -> Self {
        Self { side, stream: Some(stream), input: BytesMut::new(), heard_end: false }
    }

    /// The next message, or `closed`; `nothing` is the error.
    pub(super) async fn next<W: Words>(&mut self) -> Result<String, String> {
        loop {
            if let Some(message) = W::hear(self.side, &mut self.input) {
                return Ok(message);
            }
            let Some(stream) = self.stream.as_mut().filter(|_| !self.heard_end) else {
                return Err(String::from("nothing"));
            };
            match timeout(PATIENCE, stream.read_buf(&mut self.input)).await {
                Ok(Ok(0) | Err(_)) => {
                    self.heard_end = true;
                    return Ok(String::from("closed"));
                }
                Ok(Ok(_)) => {}
                Err(_elapsed) => return Err(String::from("nothing")),
            }
        }
    }
}
