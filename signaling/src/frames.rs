//! A WebSocket's bytes, read no further than to the end of a frame.
//!
//! Between frames nothing is buffered behind the WebSocket layer then, so that the layer can be made anew: its buffers
//! grow to the longest message of each direction, an offer and an answer of 10 to 30 kB, and never shrink. An idle
//! connection would keep them for an hour for the sake of its first second.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The longest header of a frame: two bytes, eight of length, four of mask (RFC 6455 §5.2).
const HEADER_BYTES_MAX: usize = 14;

/// A byte stream that carries frames.
#[derive(Debug)]
pub(crate) struct FrameByFrame<T> {
    inner: T,
    header: [u8; HEADER_BYTES_MAX],
    /// How much of the header has been read.
    header_read: usize,
    /// What is left of the payload.
    payload_left: u64,
    /// Whether further frames belong to the same message (RFC 6455 §5.4).
    is_fragmented: bool,
}

impl<T> FrameByFrame<T> {
    /// Before the first frame.
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, header: [0; HEADER_BYTES_MAX], header_read: 0, payload_left: 0, is_fragmented: false }
    }

    /// Whether whole messages have been read, and nothing of another.
    pub(crate) fn is_between_messages(&self) -> bool {
        self.header_read == 0 && self.payload_left == 0 && !self.is_fragmented
    }

    /// Bytes to the end of what is being read: a part of the header whose length is known, or the payload.
    fn bytes_wanted(&self) -> usize {
        if self.payload_left > 0 {
            return usize::try_from(self.payload_left).unwrap_or(usize::MAX);
        }
        self.header_length() - self.header_read
    }

    /// As far as it is known by now.
    fn header_length(&self) -> usize {
        if self.header_read < 2 {
            return 2;
        }
        let length = match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        2 + length + mask
    }

    /// Takes note of what was read; never more than was wanted.
    fn note(&mut self, read: &[u8]) {
        if self.payload_left > 0 {
            self.payload_left -= (read.len() as u64).min(self.payload_left);
            return;
        }
        let space = self.header.get_mut(self.header_read..self.header_read + read.len());
        space.unwrap_or_default().copy_from_slice(read);
        self.header_read += read.len();
        if self.header_read == self.header_length() {
            let [first, short, rest @ ..] = self.header;
            // Control frames may come in between.
            if first & 0x08 == 0 {
                self.is_fragmented = first & 0x80 == 0;
            }
            self.payload_left = match short & 0x7f {
                126 => u16::from_be_bytes([rest[0], rest[1]]).into(),
                127 => rest.first_chunk().map_or(0, |length| u64::from_be_bytes(*length)),
                short => short.into(),
            };
            self.header_read = 0;
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for FrameByFrame<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut part = buf.take(self.bytes_wanted());
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        self.note(part.filled());
        // SAFETY: `part` is the start of what was unfilled of `buf`, and so much of it was filled just now.
        unsafe { buf.assume_init(read) };
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for FrameByFrame<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// A masked frame of so many bytes.
    fn frame(length: usize) -> Vec<u8> {
        frame_of(0x81, length)
    }

    fn frame_of(first: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match length {
            0..=125 => bytes.push(0x80 | length as u8),
            126..=0xffff => {
                bytes.push(0x80 | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend([1, 2, 3, 4]);
        bytes.extend(vec![7; length]);
        bytes
    }

    #[tokio::test]
    async fn reads_end_where_frames_do() {
        let lengths = [0, 1, 125, 126, 5_000, 0xffff, 0x1_0000, 3];
        let bytes: Vec<u8> = lengths.iter().flat_map(|length| frame(*length)).collect();
        let mut reader = FrameByFrame::new(&bytes[..]);
        let (mut read, mut ends) = (Vec::new(), Vec::new());
        let mut chunk = [0; 1_000];
        loop {
            let length = reader.read(&mut chunk).await.unwrap();
            if length == 0 {
                break;
            }
            read.extend_from_slice(&chunk[..length]);
            if reader.is_between_messages() {
                ends.push(read.len());
            }
        }
        assert_eq!(read, bytes);
        let frames = lengths.iter().map(|length| frame(*length).len());
        let wanted: Vec<usize> = frames
            .scan(0, |end, length| {
                *end += length;
                Some(*end)
            })
            .collect();
        assert_eq!(ends, wanted);
    }

    #[tokio::test]
    async fn a_message_in_fragments_ends_with_its_last_one() {
        // Text that goes on, a ping in between, its end.
        let parts = [frame_of(0x01, 10), frame_of(0x89, 2), frame_of(0x80, 10)];
        let bytes = parts.concat();
        let mut reader = FrameByFrame::new(&bytes[..]);
        for (part, is_end) in parts.iter().zip([false, false, true]) {
            let mut read = vec![0; part.len()];
            reader.read_exact(&mut read).await.unwrap();
            assert_eq!((&read, reader.is_between_messages()), (part, is_end));
        }
    }
}
