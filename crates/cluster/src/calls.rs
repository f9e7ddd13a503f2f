//! Connections between processes: some are called until they answer, others call and are answered.

use std::collections::VecDeque;
use std::io;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use socket2::{SockRef, TcpKeepalive};

use crate::Membership;
use crate::channel::Channel;
use crate::handshake::{self, Answering, Call, Progress, Purpose};

/// How long a handshake may take.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long to wait before calling again, and before looking again whether somebody calls: at first, and at most.
const SOON: Duration = Duration::from_millis(1);
pub(crate) const AGAIN: Duration = Duration::from_millis(20);

/// A machine that is gone without a word is noticed within this time, whether or not something is on its way to it.
const SILENCE: Duration = Duration::from_secs(25);

/// How many who call are listened to at once. Whoever knows the secret has proved it long before as many others have
/// come; of strangers the first are given up when there are more.
const CALLERS: usize = 256;

/// How many are taken in before those are heard that are there.
const CALLERS_A_TURN: usize = 32;

/// How many that were refused are told of one by one, and how often the others are told of together.
const REFUSALS_TOLD: u64 = 5;
const REFUSALS_PERIOD: Duration = Duration::from_secs(10);

/// A connection that was made.
pub(crate) type Made = (usize, Purpose, Channel);

/// One who calls, where it is, and when it is given up.
struct Caller {
    from: String,
    deadline: Instant,
    answering: Answering,
}

/// Those who were refused: strangers must not fill the log.
#[derive(Default)]
struct Refusals {
    count: u64,
    /// How many of them have not been told of, and since when.
    untold: u64,
    since: Option<Instant>,
}

impl Refusals {
    /// Whether to tell of one more.
    fn add(&mut self) -> bool {
        self.count += 1;
        if self.count <= REFUSALS_TOLD {
            return true;
        }
        self.untold += 1;
        self.since.get_or_insert_with(Instant::now);
        false
    }

    /// Tells of the others, now and then.
    fn tell(&mut self, process: usize, is_last: bool) {
        if self
            .since
            .is_some_and(|since| is_last || since.elapsed() >= REFUSALS_PERIOD)
        {
            tracing::warn!(target: "pathway", "process {process}: {} more connections were refused", self.untold);
            self.untold = 0;
            self.since = None;
        }
    }
}

/// Who is called and who may call, until all are there or the time is over.
pub(crate) struct Effort {
    pub(crate) membership: Membership,
    pub(crate) deadline: Instant,
    pub(crate) is_over: AtomicBool,
    /// What was seen last of each process, for the message if it does not come.
    pub(crate) seen: Mutex<Vec<String>>,
}

impl Effort {
    fn saw(&self, process: usize, what: impl ToString) {
        self.seen.lock()[process] = what.to_string();
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) || Instant::now() >= self.deadline
    }

    fn settle(stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(HANDSHAKE))?;
        // Questions to one that says nothing, and a limit for what it does not acknowledge.
        let keepalive = TcpKeepalive::new()
            .with_time(SILENCE * 2 / 5)
            .with_interval(SILENCE / 5)
            .with_retries(3);
        let socket = SockRef::from(stream);
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(SILENCE))?;
        socket.set_tcp_keepalive(&keepalive)
    }

    fn call_once(&self, process: usize, purpose: Purpose) -> io::Result<Channel> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in self.membership.addresses[process].to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, HANDSHAKE) {
                Ok(stream) => {
                    Self::settle(&stream)?;
                    let call = Call {
                        purpose,
                        from: self.membership.process as u32,
                        to: process as u32,
                        run: self.membership.run,
                    };
                    let deadline = self.deadline.min(Instant::now() + HANDSHAKE);
                    return handshake::call(stream, call, &self.membership.secret, deadline);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Calls until somebody answers.
    pub(crate) fn call(&self, process: usize, purpose: Purpose, made: &Sender<Made>) {
        let mut pause = SOON;
        while !self.is_over() {
            match self.call_once(process, purpose) {
                Ok(channel) => {
                    // Nobody waits for it any more if the effort was given up.
                    let _ = made.send((process, purpose, channel));
                    return;
                }
                Err(error) => {
                    self.saw(process, &error);
                    // Where somebody else is there, it may stay so.
                    let is_other = error.kind() == io::ErrorKind::PermissionDenied;
                    pause = (pause * 2).min(if is_other { HANDSHAKE } else { AGAIN });
                }
            }
            thread::sleep(pause.min(self.deadline.saturating_duration_since(Instant::now())));
        }
    }

    /// Takes a connection whose other end has proved to know the secret.
    fn take(&self, from: &str, call: Call, channel: Channel, made: &Sender<Made>) {
        let Membership {
            process,
            addresses,
            run,
            ..
        } = &self.membership;
        let caller = call.from as usize;
        if call.run != *run {
            tracing::debug!(target: "pathway", "{from} is at run {}, this process at run {run}", call.run);
        } else if call.to as usize == *process && *process < caller && caller < addresses.len() {
            // Nobody waits for it any more if the effort was given up.
            let _ = made.send((caller, call.purpose, channel));
        } else {
            tracing::warn!(
                target: "pathway",
                "process {process} was called from {from} by process {} as process {}: the addresses differ between the processes",
                call.from, call.to
            );
        }
    }

    fn refuse(&self, from: &str, error: &io::Error, refusals: &mut Refusals) {
        let Membership { process, addresses, .. } = &self.membership;
        let refusal = format!("a connection from {from} was refused: {error}");
        if refusals.add() {
            tracing::warn!(target: "pathway", "process {process}: {refusal}");
        }
        for other in *process + 1..addresses.len() {
            self.saw(other, &refusal);
        }
    }

    /// Takes in who calls, as many as there are but not without end.
    fn accept(&self, listener: &TcpListener, callers: &mut VecDeque<Caller>) -> usize {
        for taken in 0..CALLERS_A_TURN {
            let Ok((stream, address)) = listener.accept() else {
                return taken;
            };
            if callers.len() >= CALLERS {
                callers.pop_front();
            }
            if stream
                .set_nonblocking(true)
                .and_then(|()| Self::settle(&stream))
                .is_ok()
            {
                callers.push_back(Caller {
                    from: address.to_string(),
                    deadline: Instant::now() + HANDSHAKE,
                    answering: Answering::new(stream),
                });
            }
        }
        CALLERS_A_TURN
    }

    /// Answers whoever calls, all of them in one thread that waits for none.
    pub(crate) fn listen(self: &Arc<Self>, listener: &TcpListener, made: &Sender<Made>) {
        let mut callers = VecDeque::new();
        let mut refusals = Refusals::default();
        let mut pause = SOON;
        while !self.is_over() {
            let mut is_busy = self.accept(listener, &mut callers) > 0;
            for mut caller in std::mem::take(&mut callers) {
                match caller.answering.advance(&self.membership.secret) {
                    Progress::Made(call, channel) => {
                        is_busy = true;
                        self.take(&caller.from, call, channel, made);
                    }
                    Progress::Refused(error) => self.refuse(&caller.from, &error, &mut refusals),
                    Progress::Open(..) if Instant::now() >= caller.deadline => {
                        let error = io::Error::new(io::ErrorKind::TimedOut, "it did not say in time who it is");
                        self.refuse(&caller.from, &error, &mut refusals);
                    }
                    Progress::Open(answering, has_come) => {
                        is_busy |= has_come;
                        caller.answering = answering;
                        callers.push_back(caller);
                    }
                }
            }
            refusals.tell(self.membership.process, false);
            pause = if is_busy { SOON } else { (pause * 2).min(AGAIN) };
            thread::sleep(pause);
        }
        refusals.tell(self.membership.process, true);
    }
}
