//! What all processes of a run agree on before it starts: that they run the same, when it starts, and how the sources are
//! divided.

use towpath_cluster::{Declared, Peer};

use super::keeping::Opened;
use super::options::RunOptions;
use super::streams::divide;
use crate::cluster::Orders;
use crate::description::Description;
use crate::error::{EngineError, ErrorKind, Origin};
use crate::physical::{PhysicalNode, PhysicalPlan, Work};
use crate::plan::Plan;
use crate::source::{Commits, Division, Readers, Team};

/// Makes sure that no output writes to what a source reads, before anything is opened: an output begins with an empty
/// file, and what it wrote to a folder that is followed would be read again.
fn check_that_no_output_is_read(plan: &PhysicalPlan) -> Result<(), EngineError> {
    let at = |origin: Option<&Origin>| origin.map_or_else(String::new, |origin| format!(" ({origin})"));
    for sink in &plan.nodes {
        let Work::Operator { operator, .. } = &sink.work else {
            continue;
        };
        let Some(path) = operator.writes() else {
            continue;
        };
        for other in &plan.nodes {
            if let Work::Source { source, .. } = &other.work
                && source.may_read(&path)
            {
                let message = format!(
                    "{} would write to {}, which {}{} reads: what is there would be lost, or what is written would be \
                     read again. Write to another file, outside of folders that are read",
                    operator.label(),
                    path.display(),
                    source.name(),
                    at(other.origin.as_ref()),
                );
                return Err(EngineError::new(ErrorKind::Value, message).at(sink.origin.as_ref()));
            }
        }
    }
    Ok(())
}

/// What all processes of a run have to have in common.
fn program(plan: &Plan, options: &RunOptions) -> Vec<Declared> {
    let mut settings = Description::default();
    settings.set("terminate_on_error", options.terminate_on_error);
    settings.set("runs every table", options.everything);
    let kept = options.persistence.as_ref().map(|kept| (kept.access, kept.continues));
    settings.set("persistence", format_args!("{kept:?}"));
    let mut program = plan.fingerprint();
    for output in options.outputs.as_ref().unwrap_or(&plan.outputs) {
        program.set(*output, "is part of the run", true);
    }
    program
        .declared
        .insert(0, settings.declared("the run".to_owned(), None));
    program.declared
}

/// What the first process decides for all. No commit of the run is before what was kept.
fn orders(
    physical: &PhysicalPlan,
    options: &RunOptions,
    team: Team,
    kept: Result<Option<&Opened>, EngineError>,
) -> Result<Orders, EngineError> {
    let kept = kept?;
    let start = options.start.unwrap_or_else(|| options.clock.time()) & !1;
    check_that_no_output_is_read(physical)?;
    let mut divisions = divide(physical, team, kept.is_some())?;
    if let Some(kept) = kept {
        kept.add_former(physical, &mut divisions);
    }
    Ok(Orders {
        start: start.max(kept.map_or(0, Opened::earliest_start)),
        generation: kept.map_or(0, Opened::generation),
        divisions,
        failure: None,
    })
}

/// Meets the other processes, if there are any, and agrees with them on how the sources are read, which the first says; it
/// knows what was kept.
pub(super) fn agree(
    plan: &Plan,
    physical: &PhysicalPlan,
    options: &RunOptions,
    team: Team,
    kept: Result<Option<&Opened>, EngineError>,
) -> Result<(Vec<Peer>, Orders), EngineError> {
    let Some(cluster) = &options.cluster else {
        return Ok((Vec::new(), orders(physical, options, team, kept)?));
    };
    let program = program(plan, options);
    let mut own = Orders::default();
    if cluster.process == 0 {
        match orders(physical, options, team, kept) {
            Ok(orders) => own = orders,
            Err(error) => {
                // The others hear of it when they have come; if they do not, this is still what has failed.
                own.failure = Some(error.message.clone());
                drop(cluster.connect(&program, team.threads, own));
                return Err(error);
            }
        }
    }
    let orders = own;
    let (peers, orders) = cluster.connect(&program, team.threads, orders)?;
    if let Some(message) = &orders.failure {
        let message = format!("process 0 has failed: {message}");
        tracing::error!(target: "pathway", "{message}; this process ends with it");
        return Err(EngineError::new(ErrorKind::Process, message));
    }
    Ok((peers, orders))
}

/// Whether several processes read a source that goes on.
pub(super) fn is_followed_elsewhere(plan: &PhysicalPlan, orders: &Orders) -> bool {
    let is_streaming = |node: &PhysicalNode| matches!(&node.work, Work::Source { source, .. } if matches!(source.commits(), Commits::Streaming(_)));
    let is_divided = |division: &Division| division.streams > 1 && division.readers == Readers::All;
    let mut divided = orders.divisions.iter().filter(|(_, division)| is_divided(division));
    divided.any(|(position, _)| is_streaming(&plan.nodes[*position]))
}
