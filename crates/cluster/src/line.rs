//! The line to another process: words that are not data.
//!
//! Each message is its length as `u32` and JSON. A line that ends without [`Message::Done`] means that the process
//! at the other end is gone.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

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
        /// The plan, a line a node.
        plan: Vec<String>,
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
    /// So far I have done this, for people who watch.
    Counted {
        /// In words of those who compute.
        counts: String,
    },
    /// I was asked to end the run.
    Stop,
    /// My part of the run is complete.
    Done,
}

/// Sends a message.
pub(crate) fn send(mut stream: &TcpStream, message: &Message) -> io::Result<()> {
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
    stream.write_all(&bytes)
}

/// Waits for a message.
pub(crate) fn receive(mut stream: &TcpStream) -> io::Result<Message> {
    let mut len = [0; 4];
    stream.read_exact(&mut len)?;
    let len = u32::from_le_bytes(len);
    if len > MAX_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a message of another process is longer than 1 GiB",
        ));
    }
    let mut bytes = vec![0; len as usize];
    stream.read_exact(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

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
    stream: TcpStream,
    words: Mutex<Option<Sender<Message>>>,
    /// Disconnected when everything has been said, or nobody listens any more.
    said: Mutex<Receiver<()>>,
    ear: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Line {
    /// Begins to listen and to speak, on threads of their own.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn open(process: usize, stream: TcpStream, mut listener: impl Listener) -> io::Result<Self> {
        let (heard, spoken) = (stream.try_clone()?, stream.try_clone()?);
        let (words, queued) = channel::<Message>();
        let (saying, said) = channel();
        thread::Builder::new()
            .name(format!("pathway-tell-{process}"))
            .spawn(move || {
                let _saying = saying;
                for message in queued {
                    if let Err(error) = send(&spoken, &message) {
                        tracing::debug!(target: "pathway", "a message to another process was not sent: {error}");
                        return;
                    }
                }
            })?;
        let ear = thread::Builder::new()
            .name(format!("pathway-line-{process}"))
            .spawn(move || {
                loop {
                    match receive(&heard) {
                        Ok(Message::Done) => return,
                        Ok(message) => listener.heard(message),
                        Err(error) => return listener.lost(&error),
                    }
                }
            })?;
        Ok(Self {
            stream,
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
        let _ = self.stream.shutdown(Shutdown::Both);
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
    use std::net::TcpListener;
    use std::sync::mpsc::{Sender, channel};
    use std::time::Duration;

    use super::*;

    struct Told(Sender<bool>);

    impl Listener for Told {
        fn heard(&mut self, _message: Message) {}

        fn lost(&mut self, _reason: &io::Error) {
            let _ = self.0.send(true);
        }
    }

    #[test]
    fn a_line_that_is_dropped_ends_at_both_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let there = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
        let (here, _) = listener.accept().expect("connected");
        let (told, tells) = channel();
        let open = |process, stream| Line::open(process, stream, Told(told.clone())).expect("a thread");
        let (dropped, _kept) = (open(0, here), open(1, there));
        drop(dropped);
        for _ in 0..2 {
            assert!(tells.recv_timeout(Duration::from_secs(10)).expect("it is told"));
        }
    }
}
