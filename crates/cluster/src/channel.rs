//! A connection to another process, after both ends have proved that they know the secret.
//!
//! Between machines every byte is encrypted and authenticated with the keys that the handshake has agreed on (ChaCha20
//! and Poly1305, as Noise transport messages): what was changed, repeated, left out or put in on the way ends the
//! connection. Within one machine bytes go as they are. There nobody can get between the ends of a connection without
//! the rights to read the memory of both processes, and who listens at an address was made to prove itself.
//!
//! A protected connection is a sequence of frames: the length of the rest in two bytes, and a message of Noise. Each
//! direction numbers its messages from 1; number 0 of the caller was the end of the handshake.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use snow::StatelessTransportState;

/// The most that a message of Noise may be.
const FRAME: usize = 65_535;

/// What of that authenticates it.
pub(crate) const TAG: usize = 16;

/// How much of what is written goes into one.
const CONTENT: usize = FRAME - TAG;

/// One end of a connection; a clone is the same end.
#[derive(Clone)]
pub struct Channel {
    stream: Arc<TcpStream>,
    /// The keys, if the bytes are protected.
    keys: Option<Arc<StatelessTransportState>>,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Channel({:?}, protected: {})", self.stream, self.is_protected())
    }
}

/// Whether nobody from elsewhere can be between the ends.
pub(crate) fn is_within_machine(stream: &TcpStream) -> bool {
    let is_loopback =
        |address: io::Result<SocketAddr>| address.is_ok_and(|address| address.ip().to_canonical().is_loopback());
    is_loopback(stream.peer_addr()) && is_loopback(stream.local_addr())
}

impl Channel {
    pub(crate) fn new(stream: TcpStream, keys: Option<StatelessTransportState>) -> Self {
        Self {
            stream: Arc::new(stream),
            keys: keys.map(Arc::new),
        }
    }

    /// A connection whose bytes go as they are, for tests.
    pub fn plain(stream: TcpStream) -> Self {
        Self::new(stream, None)
    }

    /// Whether bytes are encrypted and authenticated.
    pub fn is_protected(&self) -> bool {
        self.keys.is_some()
    }

    /// What comes in. There is one reader at a time, from the start.
    pub fn reader(&self) -> Incoming {
        Incoming {
            channel: self.clone(),
            number: 1,
            frame: Vec::new(),
            plain: Vec::new(),
            taken: 0,
        }
    }

    /// What goes out. There is one writer at a time, from the start.
    pub fn writer(&self) -> Outgoing {
        Outgoing {
            channel: self.clone(),
            number: 1,
            frame: Vec::new(),
        }
    }

    /// Ends one direction or both.
    ///
    /// # Errors
    /// If it has ended.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.stream.shutdown(how)
    }

    /// How long a read and a write wait.
    pub(crate) fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(read)?;
        self.stream.set_write_timeout(write)
    }

    /// Whether reads and writes return at once where they would wait.
    ///
    /// # Errors
    /// If the operating system fails.
    pub fn set_nonblocking(&self, is_nonblocking: bool) -> io::Result<()> {
        self.stream.set_nonblocking(is_nonblocking)
    }
}

/// The reading half of a [`Channel`]. A read that takes too long loses nothing.
#[derive(Debug)]
pub struct Incoming {
    channel: Channel,
    /// That of the next message.
    number: u64,
    /// What has come of the next frame.
    frame: Vec<u8>,
    plain: Vec<u8>,
    /// How much of `plain` has been read.
    taken: usize,
}

impl Incoming {
    /// Reads a frame; says whether there was one.
    fn next_frame(&mut self, keys: &StatelessTransportState) -> io::Result<bool> {
        loop {
            let wanted = match self.frame[..] {
                [low, high, ..] => 2 + usize::from(u16::from_le_bytes([low, high])),
                _ => 2,
            };
            if wanted > 2 && self.frame.len() == wanted {
                break;
            }
            if wanted == 2 && self.frame.len() == 2 {
                return Err(forged());
            }
            let start = self.frame.len();
            self.frame.resize(wanted, 0);
            let read = (&*self.channel.stream).read(&mut self.frame[start..]);
            self.frame.truncate(start + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) if start == 0 => return Ok(false),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
        self.plain.resize(self.frame.len() - 2, 0);
        let len = keys
            .read_message(self.number, &self.frame[2..], &mut self.plain)
            .map_err(|_| forged())?;
        self.number += 1;
        self.plain.truncate(len);
        self.taken = 0;
        self.frame.clear();
        Ok(true)
    }
}

fn forged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "what has come is not what the other process has sent: the connection was tampered with",
    )
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(keys) = self.channel.keys.clone() else {
            return (&*self.channel.stream).read(buffer);
        };
        while self.taken == self.plain.len() {
            if !self.next_frame(&keys)? {
                return Ok(0);
            }
        }
        let len = buffer.len().min(self.plain.len() - self.taken);
        buffer[..len].copy_from_slice(&self.plain[self.taken..self.taken + len]);
        self.taken += len;
        Ok(len)
    }
}

/// The writing half of a [`Channel`].
#[derive(Debug)]
pub struct Outgoing {
    channel: Channel,
    /// That of the next message.
    number: u64,
    frame: Vec<u8>,
}

impl Write for Outgoing {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let mut stream = &*self.channel.stream;
        let Some(keys) = &self.channel.keys else {
            return stream.write(buffer);
        };
        let content = &buffer[..buffer.len().min(CONTENT)];
        if content.is_empty() {
            return Ok(0);
        }
        self.frame.resize(2 + content.len() + TAG, 0);
        let len = keys
            .write_message(self.number, content, &mut self.frame[2..])
            .map_err(|error| io::Error::other(error.to_string()))?;
        self.number += 1;
        self.frame[..2].copy_from_slice(&(len as u16).to_le_bytes());
        stream.write_all(&self.frame[..2 + len])?;
        Ok(content.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::handshake::tests::keys;

    fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let there = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
        (listener.accept().expect("connected").0, there)
    }

    /// What comes of `sent`, written to one end and changed on the way.
    fn received(sent: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> io::Result<Vec<u8>> {
        let (ours, theirs) = keys();
        let (here, there) = connected();
        let mut outgoing = Channel::new(here, Some(ours)).writer();
        let writing = sent.to_vec();
        let written = thread::spawn(move || outgoing.write_all(&writing));
        let mut carried = Vec::new();
        (&there).read_to_end(&mut carried)?;
        written.join().expect("no panic")?;
        change(&mut carried);
        let (here, there) = connected();
        let carrying = thread::spawn(move || drop((&there).write_all(&carried)));
        let mut bytes = Vec::new();
        let read = Channel::new(here, Some(theirs)).reader().read_to_end(&mut bytes);
        carrying.join().expect("no panic");
        read.map(|_| bytes)
    }

    #[test]
    fn what_is_sent_arrives_and_nothing_of_it_can_be_read_on_the_way() {
        for len in [0, 1, CONTENT, CONTENT + 1, 300_000] {
            let sent: Vec<u8> = (0..len).map(|position| (position % 251) as u8).collect();
            let arrived = received(&sent, |carried| {
                assert_eq!(carried.len(), len + len.div_ceil(CONTENT) * (2 + TAG));
                if len > 100 {
                    assert!(carried.windows(16).all(|window| window != &sent[..16]));
                }
            });
            assert_eq!(arrived.expect("nothing was changed"), sent);
        }
    }

    #[test]
    fn what_was_changed_on_the_way_is_noticed() {
        let sent = vec![7; 2 * CONTENT];
        let first = 2 + FRAME;
        let changes: [fn(&mut Vec<u8>, usize); 5] = [
            |carried, _| carried[100] ^= 1,
            |carried, _| carried[0] ^= 1,
            |carried, first| carried.rotate_left(first),
            |carried, first| drop(carried.drain(..first)),
            |carried, first| carried.extend_from_within(..first),
        ];
        for change in changes {
            received(&sent, |carried| change(carried, first)).expect_err("it was changed");
        }
        received(&sent, |carried| carried.truncate(first + 7)).expect_err("it was cut");
    }

    #[test]
    fn a_frame_that_comes_in_pieces_is_put_together() {
        let (ours, theirs) = keys();
        let (here, there) = connected();
        let mut outgoing = Channel::new(here, Some(ours)).writer();
        outgoing.write_all(b"hello").expect("written");
        let mut carried = vec![0; 2 + 5 + TAG];
        (&there).read_exact(&mut carried).expect("carried");
        let (here, there) = connected();
        let channel = Channel::new(here, Some(theirs));
        channel
            .set_timeouts(Some(Duration::from_millis(5)), None)
            .expect("a time-out");
        let mut incoming = channel.reader();
        let mut bytes = [0; 5];
        for byte in &carried[..carried.len() - 1] {
            (&there).write_all(&[*byte]).expect("carried");
            let error = incoming.read(&mut bytes).expect_err("it is not whole");
            assert!(matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
            ));
        }
        (&there).write_all(&carried[carried.len() - 1..]).expect("carried");
        assert_eq!((incoming.read(&mut bytes).expect("whole"), &bytes), (5, b"hello"));
    }
}
