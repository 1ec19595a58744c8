//! One packet on its way through a compressor or back.

use std::io::{self, Write as _};

use flate2::{Compression, Decompress, FlushDecompress, Status, write::ZlibEncoder};
use zstd::{
    stream::raw::{DParameter, Operation as _},
    zstd_safe,
};

use super::algorithm::Algorithm;
use crate::reader::DecodeError;

/// What a packet unpacks to at the most, as a power of two: no window need be larger.
const WINDOW_LOG_MAX: u32 = 24;

/// What cannot be unpacked.
pub(super) const WRONG: DecodeError = DecodeError::Value("compressed packet");

/// One packet on its way into its packing.
pub(super) enum Pack {
    Zlib(ZlibEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl std::fmt::Debug for Pack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pack")
    }
}

impl Pack {
    pub(super) fn new(algorithm: Algorithm) -> io::Result<Self> {
        Ok(match algorithm {
            Algorithm::Zlib => Self::Zlib(ZlibEncoder::new(Vec::new(), Compression::fast())),
            Algorithm::Zstd(level) => {
                Self::Zstd(zstd::stream::write::Encoder::new(Vec::new(), level.into())?)
            }
        })
    }

    pub(super) fn write_all(&mut self, plain: &[u8]) -> io::Result<()> {
        match self {
            Self::Zlib(pack) => pack.write_all(plain),
            Self::Zstd(pack) => pack.write_all(plain),
        }
    }

    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Zlib(pack) => pack.finish(),
            Self::Zstd(pack) => pack.finish(),
        }
    }
}

/// One packet on its way out of its packing.
pub(in crate::mysql) struct Unpack {
    method: Method,
    /// It has said that nothing more comes.
    ended: bool,
}

enum Method {
    Zlib(Box<Decompress>),
    Zstd(Box<zstd::stream::raw::Decoder<'static>>),
}

impl std::fmt::Debug for Unpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unpack")
    }
}

impl Unpack {
    pub(in crate::mysql) fn new(algorithm: Algorithm) -> Result<Self, DecodeError> {
        let method = match algorithm {
            Algorithm::Zlib => Method::Zlib(Box::new(Decompress::new(true))),
            Algorithm::Zstd(_) => {
                let mut decoder = zstd::stream::raw::Decoder::new().map_err(|_error| WRONG)?;
                decoder
                    .set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))
                    .map_err(|_error| WRONG)?;
                Method::Zstd(Box::new(decoder))
            }
        };
        Ok(Self { method, ended: false })
    }

    /// Whether all of it was given.
    pub(in crate::mysql) fn is_at_its_end(&mut self) -> Result<bool, DecodeError> {
        let (_, given) = self.run(&[], 0, &mut [0])?;
        Ok(self.ended && given == 0)
    }

    /// Unpacks into the first `plain` bytes of `room`, and returns how many were taken and given. With nothing left to
    /// give there may still be a checksum to take; whatever it gives then is one byte too many.
    pub(in crate::mysql) fn run(
        &mut self,
        packed: &[u8],
        plain: usize,
        room: &mut [u8],
    ) -> Result<(usize, usize), DecodeError> {
        if self.ended {
            return Ok((0, 0));
        }
        let len = plain.max(1).min(room.len());
        let room = room.get_mut(..len).unwrap_or_default();
        match &mut self.method {
            Method::Zlib(unpack) => {
                let (taken, given) = (unpack.total_in(), unpack.total_out());
                let status = unpack.decompress(packed, room, FlushDecompress::None);
                self.ended = status.map_err(|_broken| WRONG)? == Status::StreamEnd;
                let since = |now: u64, then: u64| {
                    usize::try_from(now.saturating_sub(then)).map_err(|_small| WRONG)
                };
                Ok((since(unpack.total_in(), taken)?, since(unpack.total_out(), given)?))
            }
            Method::Zstd(unpack) => {
                let mut input = zstd_safe::InBuffer::around(packed);
                let mut output = zstd_safe::OutBuffer::around(room);
                let left = unpack.run(&mut input, &mut output).map_err(|_broken| WRONG)?;
                self.ended = left == 0;
                Ok((input.pos(), output.pos()))
            }
        }
    }
}
