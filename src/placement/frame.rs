// SPDX-License-Identifier: Apache-2.0
//! Frames: a length of four bytes, big-endian, that counts what follows; a
//! byte for the kind; a body.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use zeroize::{Zeroize, Zeroizing};

use crate::fault::{Fault, Status};

/// Longest frame, bytes: what a few hundred policies of greatest length take.
pub const LONGEST: usize = 4 << 20;
const HEAD: usize = 5;

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the body is.
    pub kind: u8,
    /// The body; wiped when dropped, since logins pass through.
    pub body: Zeroizing<Vec<u8>>,
}

impl Frame {
    /// The bytes of a frame.
    ///
    /// # Errors
    /// When the body is too long.
    pub fn bytes(kind: u8, body: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let length = u32::try_from(body.len() + 1).ok().filter(|_| body.len() < LONGEST);
        let length = length.ok_or_else(|| {
            Fault::unavailable(format!("a message of {} bytes is longer than the accepted {LONGEST}", body.len()))
        })?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD + body.len()));
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.push(kind);
        bytes.extend_from_slice(body);
        Ok(bytes)
    }

    /// The frame at the beginning of these bytes and its length; none when
    /// more bytes are needed.
    ///
    /// # Errors
    /// When no frame begins so; what follows cannot be read either.
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Fault> {
        let Some((head, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        if length == 0 || length > LONGEST {
            return Err(Fault::unavailable(format!("a frame of {length} bytes; 1 to {LONGEST} are accepted")));
        }
        let Some((frame, _)) = rest.split_at_checked(length) else { return Ok(None) };
        let Some((kind, body)) = frame.split_first() else { return Ok(None) };
        Ok(Some((Self { kind: *kind, body: Zeroizing::new(body.to_vec()) }, 4 + length)))
    }
}

/// One end of a connection. Used by one thread at a time.
#[derive(Debug)]
pub struct Line {
    stream: UnixStream,
    read: Zeroizing<Vec<u8>>,
}

impl Line {
    /// A line over a connected socket.
    #[must_use]
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, read: Zeroizing::new(Vec::new()) }
    }

    /// The socket.
    #[must_use]
    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Sends one frame by `by`.
    ///
    /// # Errors
    /// Undecided; the line is of no use any more.
    pub fn send(&mut self, kind: u8, body: &[u8], by: Instant) -> Result<(), Fault> {
        let bytes = Frame::bytes(kind, body)?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            self.stream.set_write_timeout(Some(left(by)?)).map_err(|e| broken(&e))?;
            // Not `write_vectored`: that would raise SIGPIPE in hosts that do
            // not ignore it.
            match self.stream.write(rest) {
                Ok(0) => return Err(gone()),
                Ok(n) => rest = rest.get(n..).unwrap_or_default(),
                Err(e) if is_later(&e) => {}
                Err(e) => return Err(broken(&e)),
            }
        }
        Ok(())
    }

    /// The next frame; with no `by`, however long its first byte takes. What
    /// has begun has to end within `rest`.
    ///
    /// # Errors
    /// Undecided; the line is of no use any more.
    pub fn receive(&mut self, by: Option<Instant>, rest: Duration) -> Result<Frame, Fault> {
        let mut by = by;
        loop {
            if let Some((frame, length)) = Frame::read(&self.read)? {
                let mut after = Zeroizing::new(self.read.get(length..).unwrap_or_default().to_vec());
                std::mem::swap(&mut self.read, &mut after);
                return Ok(frame);
            }
            if by.is_none() && !self.read.is_empty() {
                by = Some(Instant::now() + rest);
            }
            let wait = by.map(left).transpose()?;
            self.stream.set_read_timeout(wait).map_err(|e| broken(&e))?;
            let mut part = [0; 16 * 1024];
            let got = self.stream.read(&mut part);
            match got {
                Ok(0) => return Err(gone()),
                Ok(n) => self.read.extend_from_slice(part.get(..n).unwrap_or_default()),
                Err(e) if is_later(&e) => {}
                Err(e) => return Err(broken(&e)),
            }
            part.zeroize();
        }
    }
}

fn is_later(e: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(e.kind(), Interrupted | TimedOut | WouldBlock)
}

fn left(by: Instant) -> Result<Duration, Fault> {
    let left = by.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Fault::new(Status::TimedOut, "the agent's process did not answer in time"));
    }
    Ok(left)
}

fn gone() -> Fault {
    Fault::unavailable("the connection between host and agent was closed")
}

fn broken(e: &std::io::Error) -> Fault {
    Fault::unavailable(format!("the connection between host and agent: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Kind;

    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut() {
        let mut bytes = Frame::bytes(7, b"first").unwrap().to_vec();
        let first = bytes.len();
        bytes.extend_from_slice(&Frame::bytes(8, b"").unwrap());
        for cut in 0..first {
            assert_eq!(Frame::read(&bytes[..cut]).unwrap(), None, "{cut}");
        }
        let (frame, length) = Frame::read(&bytes).unwrap().unwrap();
        assert_eq!((frame.kind, frame.body.as_slice(), length), (7, b"first".as_slice(), first));
        let (frame, length) = Frame::read(&bytes[first..]).unwrap().unwrap();
        assert_eq!((frame.kind, frame.body.len(), first + length), (8, 0, bytes.len()));
    }

    #[test]
    fn lengths_outside_what_is_accepted_are_undecided() {
        for bytes in [[0, 0, 0, 0], [0xff; 4], u32::try_from(LONGEST + 1).unwrap().to_be_bytes()] {
            assert_eq!(Frame::read(&bytes).unwrap_err().kind(), Kind::Undecided);
        }
        assert_eq!(Frame::bytes(1, &vec![0; LONGEST]).unwrap_err().kind(), Kind::Undecided);
        let (frame, _) = Frame::read(&Frame::bytes(1, &vec![0; LONGEST - 1]).unwrap()).unwrap().unwrap();
        assert_eq!(frame.body.len(), LONGEST - 1);
    }

    #[test]
    fn a_frame_that_does_not_end_ends_the_wait() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut line = Line::new(ours);
        theirs.write_all(&[0, 0, 0, 9, 1]).unwrap();
        let fault = line.receive(None, Duration::from_millis(20)).unwrap_err();
        assert_eq!(fault.status, Status::TimedOut);
        drop(theirs);
        assert_eq!(line.receive(None, Duration::from_secs(5)).unwrap_err().kind(), Kind::Undecided);
    }

    /// Reading in small pieces what is long, and several frames at once.
    #[test]
    fn a_line_carries_long_frames_and_many() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let long = vec![42; 1 << 20];
        let by = || Instant::now() + Duration::from_secs(20);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut line = Line::new(theirs);
                line.send(1, &long, by()).unwrap();
                (0..100).for_each(|n| line.send(2, &[n], by()).unwrap());
            });
            let mut line = Line::new(ours);
            assert_eq!(line.receive(Some(by()), Duration::ZERO).unwrap().body.len(), long.len());
            for n in 0..100 {
                assert_eq!(line.receive(Some(by()), Duration::ZERO).unwrap().body.as_slice(), [n]);
            }
        });
    }
}
