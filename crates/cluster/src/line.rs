//! The line to another process: words that are not data.
//!
//! Each message is its length as `u32` and JSON. A line that ends without [`Message::Done`], or on which nothing comes
//! for a while, means that the process at the other end is gone.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel as channel_of_words};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::channel::{Channel, Incoming, Outgoing};
use crate::program::Declared;

/// No message is longer: the first tells of some millions of files.
const MAX_BYTES: u32 = 1 << 30;

/// What one process tells another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Who I am and what I run; the first message.
    Hello {
        /// The version of the program.
        version: String,
        /// How many processes there are.
        processes: usize,
        /// The number of worker threads.
        threads: usize,
        /// What the program has declared.
        program: Vec<Declared>,
        /// What the first process decides for all; of no meaning in the others.
        orders: String,
    },
    /// My part of the run has failed.
    Failed {
        /// Why.
        message: String,
    },
    /// A commit was opened at this time: who has sent nothing since may follow.
    Opened {
        /// The time.
        time: u64,
        /// Whether commits that are open before have to be closed, where a timer would close them.
        presses: bool,
    },
    /// All that has come into this process before this time is on disk.
    Saved {
        /// The time.
        time: u64,
    },
    /// I have taken rows of yours.
    Taken {
        /// The number that you have given to a count, and how many rows of it.
        counts: Vec<(u64, u64)>,
    },
    /// So far I have done this, for people who watch.
    Counted {
        /// In words of those who compute.
        counts: String,
    },
    /// What concerns a snapshot of the state.
    Snapshot {
        /// In words of those who take it.
        word: String,
    },
    /// I am there, and have nothing to say.
    Alive,
    /// I was asked to end the run.
    Stop,
    /// My part of the run is complete.
    Done,
}

/// A line before anybody listens all the time: each message is sent and awaited by itself.
#[derive(Debug)]
pub struct Ends {
    channel: Channel,
    ear: Ear,
    mouth: Outgoing,
}

impl Ends {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            ear: Ear {
                incoming: channel.reader(),
                bytes: Vec::new(),
            },
            mouth: channel.writer(),
            channel,
        }
    }

    /// Sends one message and waits for another at the same time: both may be long.
    pub(crate) fn exchange(&mut self, message: &Message) -> io::Result<Message> {
        let Self { ear, mouth, .. } = self;
        thread::scope(|scope| {
            let sent = scope.spawn(|| send(mouth, message));
            let received = ear.receive();
            match sent.join() {
                Ok(sent) => sent.and(received),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    pub(crate) fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.channel.set_timeouts(read, write)
    }
}

/// Sends a message.
fn send(mouth: &mut Outgoing, message: &Message) -> io::Result<()> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let len = u32::try_from(bytes.len() - 4).ok().filter(|len| *len <= MAX_BYTES);
    let len = len.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "the message to another process is longer than 1 GiB",
        )
    })?;
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    mouth.write_all(&bytes)
}

/// What hears messages.
#[derive(Debug)]
struct Ear {
    incoming: Incoming,
    /// What has come of the next message.
    bytes: Vec<u8>,
}

/// How much is read at once.
const READ: usize = 1 << 20;

impl Ear {
    /// Waits for a message. If that takes too long, what has come of it is not lost.
    fn receive(&mut self) -> io::Result<Message> {
        loop {
            let wanted = match self.bytes.first_chunk() {
                Some(len) => {
                    let len = u32::from_le_bytes(*len);
                    if len > MAX_BYTES {
                        return Err(io::Error::new(
                            io::ErrorKind::InvalidData,
                            "a message of another process is longer than 1 GiB",
                        ));
                    }
                    4 + len as usize
                }
                None => 4,
            };
            let start = self.bytes.len();
            if wanted > 4 && start == wanted {
                let message = serde_json::from_slice(&self.bytes[4..]);
                self.bytes.clear();
                return Ok(message?);
            }
            if start == 4 && wanted == 4 {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a message of another process is empty",
                ));
            }
            self.bytes.resize(wanted.min(start + READ), 0);
            let read = self.incoming.read(&mut self.bytes[start..]);
            self.bytes.truncate(start + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for a message, but no longer than for all the ticks of a silence: those in which this process itself was
    /// stopped count as one.
    fn hear(&mut self, silence: Duration) -> io::Result<Message> {
        let mut ticks = 0;
        loop {
            match self.receive() {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    ticks += 1;
                    if ticks >= TICKS {
                        let seconds = silence.as_secs_f64();
                        let reason = format!("nothing was heard of it for {seconds} s");
                        return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
                    }
                }
                received => return received,
            }
        }
    }
}

/// Into how many parts a silence is divided; in the time of a few, every process says that it is there.
const TICKS: u32 = 20;

/// What is done with what comes over a line.
pub trait Listener: Send + 'static {
    /// A message has come.
    fn heard(&mut self, message: Message);
    /// The process is gone, and was not done.
    fn lost(&mut self, reason: &io::Error);
}

/// The line to one other process. What is told is queued: nobody waits for one who does not listen.
#[derive(Debug)]
pub struct Line {
    channel: Channel,
    words: Mutex<Option<Sender<Message>>>,
    /// Disconnected when everything has been said, or nobody listens any more.
    said: Mutex<Receiver<()>>,
    ear: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Line {
    /// Begins to listen and to speak, on threads of their own. A process that says nothing for the whole of `silence`
    /// counts as gone: it was stopped, or its machine hangs.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn open(process: usize, ends: Ends, silence: Duration, mut listener: impl Listener) -> io::Result<Self> {
        let Ends {
            channel,
            mut ear,
            mut mouth,
        } = ends;
        let tick = (silence / TICKS).max(Duration::from_millis(1));
        channel.set_timeouts(Some(tick), None)?;
        let (words, queued) = channel_of_words();
        let (saying, said) = channel_of_words::<()>();
        thread::Builder::new()
            .name(format!("pathway-tell-{process}"))
            .spawn(move || {
                let _saying = saying;
                loop {
                    let message = match queued.recv_timeout(tick * 4) {
                        Ok(message) => message,
                        Err(RecvTimeoutError::Timeout) => Message::Alive,
                        Err(RecvTimeoutError::Disconnected) => return,
                    };
                    if let Err(error) = send(&mut mouth, &message) {
                        tracing::debug!(target: "pathway", "a message to another process was not sent: {error}");
                        return;
                    }
                }
            })?;
        let ear = thread::Builder::new()
            .name(format!("pathway-line-{process}"))
            .spawn(move || {
                loop {
                    match ear.hear(silence) {
                        Ok(Message::Done) => return,
                        Ok(message) => listener.heard(message),
                        Err(error) => return listener.lost(&error),
                    }
                }
            })?;
        Ok(Self {
            channel,
            words: Mutex::new(Some(words)),
            said: Mutex::new(said),
            ear: Mutex::new(Some(ear)),
        })
    }

    /// Sends a message soon; a process that is gone hears nothing.
    pub fn tell(&self, message: &Message) {
        if let Some(words) = &*self.words.lock() {
            // Nobody takes it any more if the other process is gone.
            let _ = words.send(message.clone());
        }
    }

    /// Says no more. Waits until the other process has been told everything and is done, too, or gone; with a time limit
    /// only until it has been told everything, for so long, and then hangs up.
    pub fn finish(&self, limit: Option<Duration>) {
        drop(self.words.lock().take());
        // Nothing ever comes: it is over when the other half is gone.
        if let Some(limit) = limit {
            let _ = self.said.lock().recv_timeout(limit);
            self.hang_up();
        } else {
            let _ = self.said.lock().recv();
        }
        let ear = self.ear.lock().take();
        if let Some(ear) = ear {
            drop(ear.join());
        }
    }

    fn hang_up(&self) {
        // It may be closed already.
        let _ = self.channel.shutdown(Shutdown::Both);
    }
}

impl Drop for Line {
    /// The thread that listens has the connection, too: only this ends it, and tells the other process.
    fn drop(&mut self) {
        self.hang_up();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc::{Sender, channel};
    use std::time::{Duration, Instant};

    use super::*;

    struct Told(Sender<String>);

    impl Listener for Told {
        fn heard(&mut self, _message: Message) {}

        fn lost(&mut self, reason: &io::Error) {
            let _ = self.0.send(reason.to_string());
        }
    }

    fn connected() -> [Ends; 2] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let there = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
        let (here, _) = listener.accept().expect("connected");
        [here, there].map(|stream| Ends::new(Channel::plain(stream)))
    }

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn a_line_that_is_dropped_ends_at_both_ends() {
        let (told, tells) = channel();
        let [here, there] = connected();
        let open = |process, ends| Line::open(process, ends, PATIENCE, Told(told.clone())).expect("a thread");
        let (dropped, _kept) = (open(0, here), open(1, there));
        drop(dropped);
        for _ in 0..2 {
            tells.recv_timeout(PATIENCE).expect("it is told");
        }
    }

    #[test]
    fn a_process_that_says_nothing_counts_as_gone() {
        let (told, tells) = channel();
        let [here, there] = connected();
        let silence = Duration::from_millis(100);
        let start = Instant::now();
        let _line = Line::open(0, here, silence, Told(told)).expect("a thread");
        let reason = tells.recv_timeout(PATIENCE).expect("it is told");
        assert_eq!(reason, "nothing was heard of it for 0.1 s");
        assert!(start.elapsed() >= silence);
        drop(there);
    }

    #[test]
    fn processes_that_have_nothing_to_say_hear_that_the_others_are_there() {
        let (told, tells) = channel();
        let silence = Duration::from_millis(200);
        let lines = connected().map(|ends| Line::open(0, ends, silence, Told(told.clone())).expect("a thread"));
        tells.recv_timeout(5 * silence).expect_err("both are there");
        drop(lines);
    }

    #[test]
    fn long_messages_cross() {
        let [mut here, mut there] = connected();
        let message = Message::Failed {
            message: "x".repeat(30 << 20),
        };
        let (heard, heard_there) = thread::scope(|scope| {
            let other = scope.spawn(|| there.exchange(&message));
            (here.exchange(&message), other.join().expect("no panic"))
        });
        assert_eq!(heard.expect("it has come"), message);
        assert_eq!(heard_there.expect("it has come"), message);
    }
}
