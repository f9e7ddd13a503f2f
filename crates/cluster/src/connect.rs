//! Brings the processes together: each listens, and calls those with lower numbers.

use std::collections::VecDeque;
use std::io;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use socket2::{SockRef, TcpKeepalive};

use crate::channel::Channel;
use crate::handshake::{self, Answering, Call, Progress, Purpose};
use crate::line::{Ends, Message};
use crate::program::{difference, doubts};
use crate::{ClusterError, Membership, Peer};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long to wait before calling again, and before looking again whether somebody calls: at first, and at most.
const SOON: Duration = Duration::from_millis(1);
const AGAIN: Duration = Duration::from_millis(20);

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
type Made = (usize, Purpose, Channel);

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

struct Effort {
    membership: Membership,
    deadline: Instant,
    is_over: AtomicBool,
    /// What was seen last of each process, for the message if it does not come.
    seen: Mutex<Vec<String>>,
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
    fn call(&self, process: usize, purpose: Purpose, made: &Sender<Made>) {
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
    fn listen(self: &Arc<Self>, listener: &TcpListener, made: &Sender<Made>) {
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

    fn absent(&self, process: usize) -> ClusterError {
        ClusterError::Absent {
            process,
            address: self.membership.addresses[process].clone(),
            seconds: self.membership.timeout.as_secs_f64(),
            reason: self.seen.lock()[process].clone(),
        }
    }

    /// Waits for all connections.
    fn collect(&self, made: &Receiver<Made>, is_interrupted: &dyn Fn() -> bool) -> Result<Vec<Peer>, ClusterError> {
        let Membership { process, addresses, .. } = &self.membership;
        let mut channels: Vec<[Option<Channel>; 2]> = addresses.iter().map(|_| [None, None]).collect();
        let is_missing = |(other, [data, line]): &(usize, &[Option<Channel>; 2])| {
            other != process && (data.is_none() || line.is_none())
        };
        while let Some((missing, _)) = channels.iter().enumerate().find(is_missing) {
            if is_interrupted() {
                return Err(ClusterError::Interrupted);
            }
            match made.recv_timeout(AGAIN) {
                Ok((other, purpose, channel)) => channels[other][usize::from(purpose == Purpose::Line)] = Some(channel),
                Err(RecvTimeoutError::Timeout) if Instant::now() < self.deadline => {}
                Err(_) => return Err(self.absent(missing)),
            }
        }
        let mut peers = Vec::new();
        for (other, [data, line]) in channels.into_iter().enumerate() {
            if let (Some(data), Some(line)) = (data, line) {
                peers.push(Peer {
                    process: other,
                    address: addresses[other].clone(),
                    data,
                    line: Ends::new(line),
                });
            }
        }
        Ok(peers)
    }

    /// Makes sure that a process runs the same; what it decides for all, if it is the first.
    fn compare(&self, peer: &mut Peer, hello: &Message) -> Result<Option<String>, ClusterError> {
        let own = &self.membership;
        let process = peer.process;
        let mismatch = |reason: String| ClusterError::Mismatch { process, reason };
        let lost = |error: io::Error| mismatch(format!("it ended while it was being compared: {error}"));
        let Message::Hello {
            version,
            processes,
            threads,
            program,
            orders,
        } = peer.line.exchange(hello).map_err(lost)?
        else {
            return Err(mismatch("it did not say what it runs".to_owned()));
        };
        let differs = |what: &str, its: &dyn std::fmt::Display, ours: &dyn std::fmt::Display| {
            mismatch(format!("{what} {its} there, and {ours} in process {}", own.process))
        };
        if version != own.version {
            return Err(differs("the version is", &version, &own.version));
        }
        if processes != own.addresses.len() {
            return Err(differs("the number of processes is", &processes, &own.addresses.len()));
        }
        if threads != own.threads {
            return Err(differs("the number of threads is", &threads, &own.threads));
        }
        if let Some(difference) = difference(&own.program, &program, process) {
            return Err(mismatch(difference));
        }
        for doubt in doubts(&own.program, &program, process) {
            tracing::warn!(
                target: "pathway",
                "{doubt}. Where a row is computed may make a difference to the result"
            );
        }
        Ok((process == 0).then_some(orders))
    }
}

/// Connects this process with all others; they are in the order of their numbers. With them comes what the first
/// process decides for all, unless this is the first.
///
/// Blocks until all are there and agree, the time is over, or `is_interrupted` says so.
///
/// # Errors
/// If this process cannot listen, another one does not come in time, or runs something else.
pub fn connect(
    membership: Membership,
    is_interrupted: &dyn Fn() -> bool,
) -> Result<(Vec<Peer>, Option<String>), ClusterError> {
    let processes = membership.addresses.len();
    let address = membership.addresses[membership.process].clone();
    let cannot_listen = |error: io::Error| ClusterError::Listen {
        process: membership.process,
        address: address.clone(),
        reason: match error.kind() {
            io::ErrorKind::AddrInUse => "the port is in use".to_owned(),
            _ => error.to_string(),
        },
    };
    let listener = TcpListener::bind(&address).map_err(cannot_listen)?;
    listener.set_nonblocking(true).map_err(cannot_listen)?;
    let os = |error: io::Error| ClusterError::Os(error.to_string());

    let effort = Arc::new(Effort {
        deadline: Instant::now() + membership.timeout,
        seen: Mutex::new(vec!["it did not connect".to_owned(); processes]),
        membership,
        is_over: AtomicBool::new(false),
    });
    let (made, to_collect) = channel();
    let mut threads = Vec::new();
    for process in 0..effort.membership.process {
        for purpose in [Purpose::Data, Purpose::Line] {
            let (effort, made) = (Arc::clone(&effort), made.clone());
            let call = move || effort.call(process, purpose, &made);
            threads.push(
                thread::Builder::new()
                    .name("pathway-call".to_owned())
                    .spawn(call)
                    .map_err(os)?,
            );
        }
    }
    let listening = Arc::clone(&effort);
    let listen = move || listening.listen(&listener, &made);
    threads.push(
        thread::Builder::new()
            .name("pathway-listen".to_owned())
            .spawn(listen)
            .map_err(os)?,
    );

    let peers = effort.collect(&to_collect, is_interrupted);
    effort.is_over.store(true, Ordering::Relaxed);
    if peers.is_ok() {
        // Then nobody waits for anything long any more, and the port is free for the next run.
        threads.into_iter().for_each(|thread| drop(thread.join()));
    }
    let mut peers = peers?;
    let own = &effort.membership;
    let hello = Message::Hello {
        version: own.version.clone(),
        processes,
        threads: own.threads,
        program: own.program.clone(),
        orders: own.orders.clone(),
    };
    // It says hello when all have come to it, too.
    let timeout = Some(own.timeout + HANDSHAKE);
    let compared: Vec<Result<Option<String>, ClusterError>> = thread::scope(|scope| {
        let mut threads = Vec::new();
        for peer in &mut peers {
            let (effort, hello) = (&effort, &hello);
            threads.push(scope.spawn(move || {
                let timeouts = peer.line.set_timeouts(timeout, timeout);
                timeouts.map_err(|error| ClusterError::Os(error.to_string()))?;
                effort.compare(peer, hello)
            }));
        }
        let join = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(compared) => compared,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().map(join).collect()
    });
    let mut orders = None;
    for compared in compared {
        orders = compared?.or(orders);
    }
    for peer in &peers {
        peer.data.set_timeouts(None, None).map_err(os)?;
        peer.line.set_timeouts(None, None).map_err(os)?;
    }
    Ok((peers, orders))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::Declared;

    fn free_addresses(count: usize) -> Vec<String> {
        // Held together, so that all differ.
        let listeners: Vec<TcpListener> = (0..count)
            .map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"))
            .collect();
        listeners
            .iter()
            .map(|listener| listener.local_addr().expect("it has an address").to_string())
            .collect()
    }

    fn declared(what: &str) -> Declared {
        Declared {
            what: what.to_owned(),
            place: None,
            settings: Vec::new(),
            hints: Vec::new(),
        }
    }

    fn members(count: usize) -> Vec<Membership> {
        let addresses = free_addresses(count);
        (0..count)
            .map(|process| Membership {
                process,
                addresses: addresses.clone(),
                secret: "secret".to_owned(),
                timeout: Duration::from_secs(20),
                run: 0,
                version: "1".to_owned(),
                threads: 2,
                program: ["source", "filter"].map(declared).to_vec(),
                orders: format!("orders of {process}"),
            })
            .collect()
    }

    type Connected = Result<(Vec<Peer>, Option<String>), ClusterError>;

    fn connect_all(members: Vec<Membership>) -> Vec<Connected> {
        let threads: Vec<_> = members
            .into_iter()
            .map(|member| thread::spawn(move || connect(member, &|| false)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    }

    #[test]
    fn all_find_each_other() {
        for count in [2, 4] {
            for (process, peers) in connect_all(members(count)).into_iter().enumerate() {
                let (peers, orders) = peers.expect("they agree");
                let others: Vec<usize> = peers.iter().map(|peer| peer.process).collect();
                assert_eq!(orders.as_deref(), (process > 0).then_some("orders of 0"));
                assert_eq!(others, (0..count).filter(|other| *other != process).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn strangers_do_not_disturb() {
        let members = members(2);
        let address = members[0].addresses[0].clone();
        let first = members[0].clone();
        let listening = thread::spawn(move || connect(first, &|| false));
        // The port answers as soon as the process listens.
        let mut strangers: Vec<TcpStream> = Vec::new();
        while strangers.len() < 3 {
            strangers.extend(TcpStream::connect(&address));
        }
        strangers[0].write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
        strangers[1].write_all(&[0xff; 4096]).expect("sent");
        connect(members[1].clone(), &|| false).expect("the right one comes in");
        listening.join().expect("no panic").expect("the right one was found");
    }

    #[test]
    fn who_does_not_come_is_named() {
        let mut member = members(2).remove(1);
        member.timeout = Duration::from_millis(100);
        let address = member.addresses[0].clone();
        let error = connect(member, &|| false).expect_err("nobody is there").to_string();
        assert!(
            error.contains(&format!("process 0 was not found at {address} within 0.1 s")),
            "{error}"
        );
        assert!(error.contains("refused"), "{error}");
    }

    #[test]
    fn the_wait_can_be_interrupted() {
        let member = members(2).remove(0);
        assert_eq!(
            connect(member, &|| true).expect_err("interrupted"),
            ClusterError::Interrupted
        );
    }

    #[test]
    fn a_port_in_use_is_named() {
        let member = members(2).remove(0);
        let _taken = TcpListener::bind(&member.addresses[0]).expect("it was free");
        let error = connect(member.clone(), &|| false)
            .expect_err("the port is taken")
            .to_string();
        assert_eq!(
            error,
            format!("process 0 cannot listen at {}: the port is in use", member.addresses[0])
        );
    }

    #[test]
    fn what_differs_is_named() {
        type Change = fn(&mut Membership);
        let changes: [(Change, &str); 4] = [
            (
                |member| member.version = "2".to_owned(),
                "the version is 2 there, and 1 in process 0",
            ),
            (
                |member| member.threads = 3,
                "the number of threads is 3 there, and 2 in process 0",
            ),
            (
                |member| member.program[1] = declared("join"),
                "filter here, join in process 1",
            ),
            (
                |member| member.program.truncate(1),
                "filter here, nothing more in process 1",
            ),
        ];
        for (change, expected) in changes {
            let mut members = members(2);
            change(&mut members[1]);
            let results = connect_all(members);
            let [Err(first), Err(_)] = &results[..] else {
                panic!("both should fail: {results:?}");
            };
            assert!(first.to_string().contains(expected), "{first}");
        }
    }

    #[test]
    fn wrong_secrets_are_named() {
        let mut members = members(2);
        members[1].secret = "guessed".to_owned();
        for member in &mut members {
            member.timeout = Duration::from_millis(500);
        }
        for result in connect_all(members) {
            let error = result.expect_err("the secrets differ").to_string();
            assert!(error.contains("PATHWAY_CLUSTER_SECRET"), "{error}");
        }
    }
}
