//! The processes compare what they run, when all have come together.

use std::io;
use std::thread;

use crate::calls::HANDSHAKE;
use crate::line::Message;
use crate::program::{difference, doubts};
use crate::{ClusterError, Membership, Peer};

/// Makes sure that all run the same; what the first process decides for all, unless this is the first.
pub(crate) fn compare_all(own: &Membership, peers: &mut [Peer]) -> Result<Option<String>, ClusterError> {
    let hello = Message::Hello {
        version: own.version.clone(),
        processes: own.addresses.len(),
        threads: own.threads,
        program: own.program.clone(),
        orders: own.orders.clone(),
    };
    // It says hello when all have come to it, too.
    let timeout = Some(own.timeout + HANDSHAKE);
    let compared: Vec<Result<Option<String>, ClusterError>> = thread::scope(|scope| {
        let mut threads = Vec::new();
        for peer in peers {
            let hello = &hello;
            threads.push(scope.spawn(move || {
                let timeouts = peer.line.set_timeouts(timeout, timeout);
                timeouts.map_err(|error| ClusterError::Os(error.to_string()))?;
                compare(own, peer, hello)
            }));
        }
        let join = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(compared) => compared,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().map(join).collect()
    });
    let (lost, compared): (Vec<_>, Vec<_>) =
        (compared.into_iter()).partition(|compared| matches!(compared, Err(ClusterError::Lost { .. })));
    let mut orders = None;
    // One that has gone may come again; one that runs something else will not.
    for compared in compared.into_iter().chain(lost) {
        orders = compared?.or(orders);
    }
    Ok(orders)
}

/// Makes sure that a process runs the same; what it decides for all, if it is the first.
fn compare(own: &Membership, peer: &mut Peer, hello: &Message) -> Result<Option<String>, ClusterError> {
    let process = peer.process;
    let mismatch = |reason: String| ClusterError::Mismatch { process, reason };
    let lost = |error: io::Error| ClusterError::Lost {
        process,
        reason: error.to_string(),
    };
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
