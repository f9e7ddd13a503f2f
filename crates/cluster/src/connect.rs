//! Brings the processes together: each listens, and calls those with lower numbers; then they [compare](crate::comparison)
//! what they run.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use parking_lot::Mutex;

use crate::calls::{AGAIN, Effort, Made};
use crate::channel::Channel;
use crate::comparison::compare_all;
use crate::handshake::Purpose;
use crate::line::Ends;
use crate::{ClusterError, Membership, Peer};

impl Effort {
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
}

/// Connects this process with all others; they are in the order of their numbers. With them comes what the first
/// process decides for all, unless this is the first.
///
/// Blocks until all are there and agree, the time is over, or `is_interrupted` says so. One that ends meanwhile may have been
/// the last of the run before, and another may come.
///
/// # Errors
/// If this process cannot listen, another one does not come in time, or runs something else.
pub fn connect(
    membership: &Membership,
    is_interrupted: &dyn Fn() -> bool,
) -> Result<(Vec<Peer>, Option<String>), ClusterError> {
    let deadline = Instant::now() + membership.timeout;
    loop {
        match attempt(membership.clone(), deadline, is_interrupted) {
            Err(ClusterError::Lost { process, reason }) if Instant::now() < deadline => {
                tracing::debug!(target: "pathway", "process {process} has gone again: {reason}");
                thread::sleep(AGAIN);
            }
            result => return result,
        }
    }
}

/// The same, until one ends.
fn attempt(
    membership: Membership,
    deadline: Instant,
    is_interrupted: &dyn Fn() -> bool,
) -> Result<(Vec<Peer>, Option<String>), ClusterError> {
    let listener = listen(&membership)?;
    let os = |error: io::Error| ClusterError::Os(error.to_string());

    let effort = Arc::new(Effort {
        deadline,
        seen: Mutex::new(vec!["it did not connect".to_owned(); membership.addresses.len()]),
        membership,
        is_over: AtomicBool::new(false),
    });
    let mut peers = meet(&effort, listener, is_interrupted)?;
    let orders = compare_all(&effort.membership, &mut peers)?;
    for peer in &peers {
        peer.data.set_timeouts(None, None).map_err(os)?;
        peer.line.set_timeouts(None, None).map_err(os)?;
    }
    Ok((peers, orders))
}

/// Listens for the others.
fn listen(membership: &Membership) -> Result<TcpListener, ClusterError> {
    let address = &membership.addresses[membership.process];
    let cannot_listen = |error: io::Error| ClusterError::Listen {
        process: membership.process,
        address: address.clone(),
        reason: match error.kind() {
            io::ErrorKind::AddrInUse => "the port is in use".to_owned(),
            _ => error.to_string(),
        },
    };
    let listener = TcpListener::bind(address).map_err(cannot_listen)?;
    listener.set_nonblocking(true).map_err(cannot_listen)?;
    Ok(listener)
}

/// Calls some processes and answers others, until all connections are made.
fn meet(
    effort: &Arc<Effort>,
    listener: TcpListener,
    is_interrupted: &dyn Fn() -> bool,
) -> Result<Vec<Peer>, ClusterError> {
    let os = |error: io::Error| ClusterError::Os(error.to_string());
    let (made, to_collect) = channel();
    let mut threads = Vec::new();
    for process in 0..effort.membership.process {
        for purpose in [Purpose::Data, Purpose::Line] {
            let (effort, made) = (Arc::clone(effort), made.clone());
            let call = move || effort.call(process, purpose, &made);
            threads.push(
                thread::Builder::new()
                    .name("pathway-call".to_owned())
                    .spawn(call)
                    .map_err(os)?,
            );
        }
    }
    let listening = Arc::clone(effort);
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
    peers
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpStream;
    use std::time::Duration;

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
            .map(|member| thread::spawn(move || connect(&member, &|| false)))
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
        let listening = thread::spawn(move || connect(&first, &|| false));
        // The port answers as soon as the process listens.
        let mut strangers: Vec<TcpStream> = Vec::new();
        while strangers.len() < 3 {
            strangers.extend(TcpStream::connect(&address));
        }
        strangers[0].write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
        strangers[1].write_all(&[0xff; 4096]).expect("sent");
        connect(&members[1], &|| false).expect("the right one comes in");
        listening.join().expect("no panic").expect("the right one was found");
    }

    #[test]
    fn one_that_goes_again_is_waited_for() {
        let members = members(2);
        let first = members[0].clone();
        let listening = thread::spawn(move || connect(&first, &|| false));
        // One that goes as soon as it has come, as the last of a run before may.
        let (made, to_collect) = channel();
        let effort = Effort {
            deadline: Instant::now() + members[1].timeout,
            seen: Mutex::new(vec![String::new(); 2]),
            membership: members[1].clone(),
            is_over: AtomicBool::new(false),
        };
        for purpose in [Purpose::Data, Purpose::Line] {
            effort.call(0, purpose, &made);
        }
        drop(effort.collect(&to_collect, &|| false).expect("the first is there"));
        connect(&members[1], &|| false).expect("the first waits");
        listening.join().expect("no panic").expect("the second has come");
    }

    #[test]
    fn who_does_not_come_is_named() {
        let mut member = members(2).remove(1);
        member.timeout = Duration::from_millis(100);
        let address = member.addresses[0].clone();
        let error = connect(&member, &|| false).expect_err("nobody is there").to_string();
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
            connect(&member, &|| true).expect_err("interrupted"),
            ClusterError::Interrupted
        );
    }

    #[test]
    fn a_port_in_use_is_named() {
        let member = members(2).remove(0);
        let _taken = TcpListener::bind(&member.addresses[0]).expect("it was free");
        let error = connect(&member, &|| false).expect_err("the port is taken").to_string();
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
