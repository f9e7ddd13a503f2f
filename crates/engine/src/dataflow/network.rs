//! Connections to other processes, as timely's network threads use them.
//!
//! These threads panic when a connection ends before it should, and the workers with them. So a [`Wire`] never
//! tells them: when the other process is gone, what is written is thrown away, and who reads waits until the
//! workers of this process have ended — the line to the other process has told the run — and then gets the end
//! of the stream in good order.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use timely::communication::Hooks;
use timely::communication::allocator::zero_copy::initialize::{CommsGuard, initialize_networking_from_sockets};
use timely::communication::allocator::zero_copy::stream::Stream;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use towpath_cluster::{Channel, Incoming, Outgoing};

/// The connections for data to all other processes.
pub(crate) struct Network {
    /// The number of this process.
    pub(crate) process: usize,
    /// The others, in the order of their numbers.
    pub(crate) channels: Vec<(usize, Channel)>,
    /// Told when a connection has ended too early.
    pub(crate) lost: LostWire,
}

/// The connections at work.
pub(crate) struct Connected {
    channels: Vec<Channel>,
    gate: Arc<Gate>,
    threads: CommsGuard,
}

impl Network {
    /// Starts the threads that send and receive.
    pub(crate) fn start(self, workers: usize) -> io::Result<(Vec<AllocatorBuilder>, Connected)> {
        let gate = Arc::new(Gate::default());
        let mut wires: Vec<Option<Wire>> = (0..=self.channels.len()).map(|_| None).collect();
        let mut channels = Vec::new();
        for (process, channel) in self.channels {
            channels.push(channel.clone());
            wires[process] = Some(Wire::new(channel, process, Arc::clone(&gate), self.lost.clone()));
        }
        let hooks = Hooks::default();
        let local = ProcessBuilder::new_typed_vector(workers, hooks.refill.clone(), hooks.spill.clone());
        match initialize_networking_from_sockets(local, wires, self.process, workers, hooks) {
            Ok((builders, threads)) => {
                let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
                Ok((
                    builders,
                    Connected {
                        channels,
                        gate,
                        threads,
                    },
                ))
            }
            Err(error) => {
                // Some threads may have started.
                hang_up(&gate, &channels);
                Err(error)
            }
        }
    }
}

/// Ends the connections, whatever the other processes do.
fn hang_up(gate: &Gate, channels: &[Channel]) {
    gate.open();
    for channel in channels {
        // It may be closed already.
        let _ = channel.shutdown(Shutdown::Both);
    }
}

impl Connected {
    /// Ends them when the workers of this process have ended; unless the run has failed, also those of the others.
    pub(crate) fn close(self, has_failed: bool) {
        match has_failed {
            true => hang_up(&self.gate, &self.channels),
            false => self.gate.open(),
        }
        drop(self.threads);
    }

    /// Ends them although workers of this process may be at work: nobody waits for the threads.
    pub(crate) fn abandon(self) {
        hang_up(&self.gate, &self.channels);
        std::mem::forget(self.threads);
    }
}

/// Opens when the workers of this process have ended.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub(crate) fn open(&self) {
        *self.is_open.lock() = true;
        self.opened.notify_all();
    }

    fn wait(&self, timeout: Option<Duration>) -> bool {
        let mut is_open = self.is_open.lock();
        match timeout {
            Some(timeout) => drop(self.opened.wait_while_for(&mut is_open, |is_open| !*is_open, timeout)),
            None => self.opened.wait_while(&mut is_open, |is_open| !*is_open),
        }
        *is_open
    }
}

/// How far a reader has come in timely's sequence of messages, each a header of six words and as many bytes as its
/// fifth word says; one without bytes is the last. Timely's own `MessageHeader` reads none before all of the message is
/// there, so the word is found here, and a test compares it with what `MessageHeader` writes.
#[derive(Debug)]
struct Framing {
    header: [u8; Self::HEADER],
    /// How many bytes of the header have been read.
    filled: usize,
    /// How many bytes of the message are still to be read.
    remaining: usize,
    has_ended: bool,
}

impl Framing {
    const HEADER: usize = 48;

    fn new() -> Self {
        Self {
            header: [0; Self::HEADER],
            filled: 0,
            remaining: 0,
            has_ended: false,
        }
    }

    fn advance(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.has_ended {
            if self.remaining > 0 {
                let skipped = self.remaining.min(bytes.len());
                self.remaining -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let copied = (Self::HEADER - self.filled).min(bytes.len());
            self.header[self.filled..self.filled + copied].copy_from_slice(&bytes[..copied]);
            self.filled += copied;
            bytes = &bytes[copied..];
            if self.filled == Self::HEADER {
                self.filled = 0;
                let mut length = [0; 8];
                length.copy_from_slice(&self.header[32..40]);
                self.remaining = u64::from_be_bytes(length) as usize;
                self.has_ended = self.remaining == 0;
            }
        }
    }

    /// How many bytes are missing to the end of what is being read.
    fn missing(&self) -> usize {
        if self.remaining > 0 {
            self.remaining
        } else {
            Self::HEADER - self.filled
        }
    }
}

/// One end of a connection to another process.
#[derive(Debug)]
pub(crate) struct Wire {
    /// Shared by the threads that send and receive, each of which uses one of the halves.
    channel: Channel,
    incoming: Incoming,
    outgoing: Outgoing,
    /// The process at the other end.
    process: usize,
    framing: Framing,
    gate: Arc<Gate>,
    /// Called when the connection has ended too early, and nobody else has noticed.
    lost: LostWire,
    /// Why it has ended too early.
    lost_for: Option<io::Error>,
}

/// Tells the run that the connection to a process has ended, and why.
#[derive(Clone)]
pub(crate) struct LostWire(pub(crate) Arc<Tell>);

type Tell = dyn Fn(usize, &io::Error) + Send + Sync;

impl std::fmt::Debug for LostWire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LostWire")
    }
}

impl Wire {
    pub(crate) fn new(channel: Channel, process: usize, gate: Arc<Gate>, lost: LostWire) -> Self {
        Self {
            incoming: channel.reader(),
            outgoing: channel.writer(),
            channel,
            process,
            framing: Framing::new(),
            gate,
            lost,
            lost_for: None,
        }
    }

    /// What a reader gets of a connection that has ended too early.
    fn read_on(&mut self, buffer: &mut [u8]) -> usize {
        // Usually the line has told why; where only this connection is broken, nobody has.
        if !self.gate.wait(Some(Duration::from_secs(2))) {
            if let Some(reason) = &self.lost_for {
                (self.lost.0)(self.process, reason);
            }
            self.gate.wait(None);
        }
        let len = self.framing.missing().min(buffer.len());
        buffer[..len].fill(0);
        self.framing.advance(&buffer[..len]);
        len
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.lost_for.is_some() && !self.framing.has_ended {
            return Ok(self.read_on(buffer));
        }
        match self.incoming.read(buffer) {
            Ok(len) if len > 0 => {
                self.framing.advance(&buffer[..len]);
                Ok(len)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            _ if self.framing.has_ended => Ok(0),
            result => {
                let ended = || io::Error::new(io::ErrorKind::UnexpectedEof, "the connection has ended");
                self.lost_for = Some(result.err().unwrap_or_else(ended));
                Ok(self.read_on(buffer))
            }
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.lost_for.is_none() {
            match self.outgoing.write(buffer) {
                Ok(len) if len > 0 => return Ok(len),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                // The thread that reads will tell.
                result => self.lost_for = Some(result.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into())),
            }
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Wire {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self::new(
            self.channel.clone(),
            self.process,
            Arc::clone(&self.gate),
            self.lost.clone(),
        ))
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.channel.set_nonblocking(nonblocking)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        // The other end may be gone.
        let _ = self.channel.shutdown(how);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use timely::communication::networking::MessageHeader;

    use super::*;

    /// A header as timely writes it.
    fn header(length: usize) -> Vec<u8> {
        let header = MessageHeader {
            channel: 9,
            source: 9,
            target_lower: 9,
            target_upper: 9,
            length,
            seqno: 9,
        };
        assert_eq!(header.header_bytes(), Framing::HEADER);
        let mut bytes = Vec::new();
        header.write_to(&mut bytes).expect("a vector takes all");
        bytes
    }

    /// What a reader gets of a connection on which `sent` was sent before it ended.
    fn received(sent: &[u8]) -> Vec<u8> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut there = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
        let (here, _) = listener.accept().expect("connected");
        there.write_all(sent).expect("sent");
        drop(there);
        let gate = Arc::new(Gate::default());
        gate.open();
        let mut bytes = Vec::new();
        let mut wire = Wire::new(Channel::plain(here), 1, gate, LostWire(Arc::new(|_, _| ())));
        wire.read_to_end(&mut bytes).expect("a wire does not fail");
        bytes
    }

    #[test]
    fn a_stream_that_ends_in_order_is_left_alone() {
        let sent = [header(3), vec![1, 2, 3], header(0)].concat();
        assert_eq!(received(&sent), sent);
    }

    #[test]
    fn a_stream_that_breaks_off_ends_in_order() {
        let whole = [header(100), vec![7; 100], header(5), vec![8; 5]].concat();
        for cut in 0..=whole.len() {
            let bytes = received(&whole[..cut]);
            assert_eq!(bytes[..cut], whole[..cut]);
            let mut framing = Framing::new();
            framing.advance(&bytes[..bytes.len() - 1]);
            assert!(!framing.has_ended, "cut at {cut}, it ends with its last byte");
            framing.advance(&bytes[bytes.len() - 1..]);
            assert!(framing.has_ended, "cut at {cut}, it has an end");
        }
    }
}
