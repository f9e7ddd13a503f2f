//! Drives a [`Task`]: updates in the order of times, and the news that a time is complete.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, Stream};
use towpath_types::{Batch, Time};

use super::edges::{Edge, Intake, Node};
use super::exchange::{Parcel, projected};
use super::worker::Failures;
use crate::error::EngineError;
use crate::monitor::Counters;
use crate::operator::{Output, Task};
use crate::program::RunningProgram;

/// What arrived for one time and was not yet absorbed.
struct Pending {
    capability: Capability<Time>,
    batches: Vec<(usize, Batch)>,
    /// How many rows have come, those included that were absorbed.
    rows: usize,
}

/// The state of a task in the dataflow.
struct Driver {
    task: Box<dyn Task>,
    program: RunningProgram,
    counters: Arc<Counters>,
    output: Output,
    pending: BTreeMap<Time, Pending>,
    /// For every input whether its end was announced.
    ended: Vec<bool>,
    finished: bool,
}

/// Adds a task to the dataflow.
pub(crate) fn add_operator<'scope>(
    scope: Scope<'scope, Time>,
    name: &str,
    edges: Vec<Edge<'scope>>,
    task: Box<dyn Task>,
    program: RunningProgram,
    counters: Arc<Counters>,
    failures: Rc<Failures>,
) -> Stream<'scope, Time, Parcel> {
    let node = Node {
        name: name.into(),
        origin: program.origin().cloned(),
        failures: Rc::clone(&failures),
    };
    let mut builder = OperatorBuilder::new(name.to_owned(), scope);
    let places = edges.len();
    let mut inputs = Vec::new();
    for (place, edge) in edges.into_iter().enumerate() {
        inputs.extend(edge.connect(place, scope, &mut builder, &node));
    }
    let (output, stream) = builder.new_output::<Parcel>();
    let mut output: OutputBuilder<Time, CapacityContainerBuilder<Parcel>> = OutputBuilder::from(output);
    let mut driver = Driver {
        task,
        program,
        counters,
        output: Output::default(),
        pending: BTreeMap::new(),
        ended: vec![false; places],
        finished: false,
    };
    builder.build(move |capabilities| {
        drop(capabilities);
        move |frontiers| {
            if failures.is_failed() {
                driver.pending.clear();
                for intake in &mut inputs {
                    intake.input.for_each(|_, parcel| drop(std::mem::take(parcel)));
                }
                return;
            }
            let mut output = output.activate();
            let mut send = |capability: &Capability<Time>, batches: Vec<Batch>| {
                for batch in batches {
                    output.session(capability).give_container(&mut Parcel(batch));
                }
            };
            for intake in &mut inputs {
                let Intake {
                    place,
                    input,
                    columns,
                    reader,
                } = intake;
                input.for_each(|capability, parcel| {
                    if !reader.has_come(parcel) {
                        return;
                    }
                    let batch = std::mem::take(&mut parcel.0);
                    let batch = match columns {
                        Some(columns) => projected(batch, columns),
                        None => batch,
                    };
                    driver.counters.count_in(&batch);
                    let Some(capability) = capability.retain_least(0) else {
                        return;
                    };
                    let pending = driver.pending.entry(*capability.time()).or_insert_with(|| Pending {
                        capability,
                        batches: Vec::new(),
                        rows: 0,
                    });
                    pending.rows += batch.len();
                    pending.batches.push((*place, batch));
                });
            }
            let frontier = frontiers
                .iter()
                .filter_map(|frontier| frontier.frontier().first().copied())
                .min();
            match driver.advance(frontier, &mut send) {
                Ok(()) => driver.announce_ends(|input| {
                    let mut fed = inputs.iter().zip(frontiers).filter(|(intake, _)| intake.place == input);
                    fed.all(|(_, frontier)| frontier.frontier().is_empty())
                }),
                Err(error) => {
                    let error = error.at(driver.program.origin());
                    if driver.finished {
                        // All that it was to take, it has; others may not have.
                        failures.fail_after_commits(error);
                    } else {
                        failures.fail(error);
                    }
                    driver.pending.clear();
                }
            }
        }
    });
    stream
}

impl Driver {
    /// Hands over what may be handed over when no update before `frontier` can come any more.
    fn advance(
        &mut self,
        frontier: Option<Time>,
        send: &mut dyn FnMut(&Capability<Time>, Vec<Batch>),
    ) -> Result<(), EngineError> {
        if self.task.is_stateless() {
            while let Some((time, pending)) = self.pending.pop_first() {
                self.task.open(time);
                self.absorb(pending.batches, &pending.capability, send)?;
                self.counters.settle(pending.rows);
            }
        }
        while let Some(mut entry) = self.pending.first_entry() {
            let time = *entry.key();
            if frontier.is_some_and(|frontier| time > frontier) {
                break;
            }
            let batches = std::mem::take(&mut entry.get_mut().batches);
            let capability = entry.get().capability.clone();
            self.task.open(time);
            self.absorb(batches, &capability, send)?;
            if frontier.is_some_and(|frontier| time >= frontier) {
                break;
            }
            self.task.complete(time, &mut self.output)?;
            self.send(&capability, send)?;
            self.counters.completed(time);
            if let Some((_, pending)) = self.pending.pop_first() {
                self.counters.settle(pending.rows);
            }
        }
        if let Some(frontier) = frontier {
            self.counters.completed(frontier.saturating_sub(1));
        } else if !self.finished {
            self.finished = true;
            self.task.finish()?;
            self.counters.ended();
        }
        Ok(())
    }

    /// Tells the task of the inputs of which nothing can come any more and nothing waits.
    fn announce_ends(&mut self, has_ended: impl Fn(usize) -> bool) {
        for input in 0..self.ended.len() {
            let waits = |pending: &Pending| pending.batches.iter().any(|(place, _)| *place == input);
            if !self.ended[input] && has_ended(input) && !self.pending.values().any(waits) {
                self.ended[input] = true;
                self.task.input_ended(input);
            }
        }
    }

    fn absorb(
        &mut self,
        batches: Vec<(usize, Batch)>,
        capability: &Capability<Time>,
        send: &mut dyn FnMut(&Capability<Time>, Vec<Batch>),
    ) -> Result<(), EngineError> {
        for (input, batch) in batches {
            self.task.absorb(input, batch, &mut self.output)?;
            self.send(capability, send)?;
        }
        Ok(())
    }

    fn send(
        &mut self,
        capability: &Capability<Time>,
        send: &mut dyn FnMut(&Capability<Time>, Vec<Batch>),
    ) -> Result<(), EngineError> {
        let mut results = Vec::new();
        for batch in self.output.drain() {
            let batch = self.program.apply(batch)?;
            if !batch.is_empty() {
                self.counters.count_out(&batch);
                results.push(batch);
            }
        }
        send(capability, results);
        Ok(())
    }
}
