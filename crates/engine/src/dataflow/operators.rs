//! Drives a [`Task`]: updates in the order of times, and the news that a time is complete.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use timely::communication::Pull;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::Message;
use timely::dataflow::channels::pact::{DistributorPact, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::InputHandleCore;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::operator::Operator as _;
use timely::dataflow::{Scope, Stream};
use towpath_types::{Batch, Time};

use super::exchange::{Owner, Parcel, Reader, Spread, projected};
use super::worker::Failures;
use crate::error::{EngineError, Origin};
use crate::monitor::Counters;
use crate::operator::{Combine, Output, Routing, Task};
use crate::program::RunningProgram;

type Pact = DistributorPact<Box<dyn FnOnce(usize) -> Spread>>;

fn spread(owner: Owner, columns: Option<Vec<usize>>, reader: &Reader) -> Boxed<Pact> {
    let reader = reader.clone();
    Boxed(DistributorPact(Box::new(move |_| Spread::new(owner, columns, reader))))
}

/// What arrived for one time and was not yet absorbed.
struct Pending {
    capability: Capability<Time>,
    batches: Vec<(usize, Batch)>,
    /// How many rows have come, those included that were absorbed.
    rows: usize,
}

type Input = InputHandleCore<Time, Parcel, Box<dyn Pull<Message<Time, Parcel>>>>;

/// Boxes a puller, so that one loop serves inputs with and without an exchange.
struct Boxed<P>(P);

impl<P> timely::dataflow::channels::pact::ParallelizationContract<Time, Parcel> for Boxed<P>
where
    P: timely::dataflow::channels::pact::ParallelizationContract<Time, Parcel>,
{
    type Pusher = P::Pusher;
    type Puller = Box<dyn Pull<Message<Time, Parcel>>>;

    fn connect(
        self,
        worker: &timely::worker::Worker,
        identifier: usize,
        address: Rc<[usize]>,
        logging: Option<timely::logging::TimelyLogger>,
    ) -> (Self::Pusher, Self::Puller) {
        let (pusher, puller) = self.0.connect(worker, identifier, address, logging);
        (pusher, Box::new(puller))
    }
}

/// One input of an operator: a stream, the columns that are read of it, how its rows are spread.
pub(crate) struct Edge<'scope> {
    pub(crate) stream: Stream<'scope, Time, Parcel>,
    pub(crate) columns: Vec<usize>,
    /// What they are called, where they have a name.
    pub(crate) names: Vec<Option<Arc<str>>>,
    pub(crate) routing: Routing,
    /// What makes fewer rows of them before they go to other workers.
    pub(crate) combiner: Option<Box<dyn Combine>>,
    /// How many workers each process has.
    pub(crate) threads: usize,
}

/// A stream as an operator of timely takes it in.
struct Intake {
    /// Which input of the task gets it.
    place: usize,
    input: Input,
    /// The columns that are still to be chosen.
    columns: Option<Vec<usize>>,
    reader: Reader,
}

impl<'scope> Edge<'scope> {
    /// Connects a task's input at `place`.
    fn connect(
        self,
        place: usize,
        scope: Scope<'scope, Time>,
        builder: &mut OperatorBuilder<'scope, Time>,
        node: &Node,
    ) -> Vec<Intake> {
        let Self {
            stream,
            columns,
            names,
            routing,
            combiner,
            threads,
        } = self;
        let workers = scope.peers();
        let first = scope.index() / threads * threads;
        let reader = Reader {
            name: Rc::clone(&node.name),
            origin: node.origin.clone(),
            columns: names.into(),
            here: first..first + threads,
            failures: Rc::clone(&node.failures),
        };
        let owner = match routing {
            _ if workers == 1 => None,
            Routing::Local => None,
            Routing::ByKey | Routing::KeysTogether => Some(Owner::OfKey),
            Routing::ByPointer(position) => Some(Owner::OfPointer(position)),
            Routing::ToFirst | Routing::ToEveryProcess => Some(Owner::Worker(0)),
        };
        let Some(owner) = owner else {
            let input = builder.new_input(stream, Boxed(Pipeline));
            return vec![Intake {
                place,
                input,
                columns: Some(columns),
                reader,
            }];
        };
        if routing == Routing::ToEveryProcess && workers > threads {
            // They go through the first worker, so that all see them in its order.
            let gathered = gathered(stream, columns, &reader);
            return (0..workers)
                .step_by(threads)
                .map(|worker| {
                    let input = builder.new_input(gathered.clone(), spread(Owner::Worker(worker), None, &reader));
                    Intake {
                        place,
                        input,
                        columns: None,
                        reader: reader.clone(),
                    }
                })
                .collect();
        }
        // Only the columns that are read are sent to other workers.
        let (stream, columns, reader) = match combiner {
            Some(combiner) => {
                let reads = combiner.reads().into_iter();
                let names = reads.map(|place| reader.columns[place].clone()).collect();
                let reader = Reader {
                    columns: names,
                    ..reader
                };
                (
                    combined(stream, columns, combiner, Rc::clone(&node.failures)),
                    None,
                    reader,
                )
            }
            None => (stream, Some(columns), reader),
        };
        let input = builder.new_input(stream, spread(owner, columns, &reader));
        vec![Intake {
            place,
            input,
            columns: None,
            reader,
        }]
    }
}

/// What an operator is called, where it was declared, and how it ends the run.
struct Node {
    name: Rc<str>,
    origin: Option<Origin>,
    failures: Rc<Failures>,
}

/// The rows of all workers at the first.
fn gathered<'scope>(
    stream: Stream<'scope, Time, Parcel>,
    columns: Vec<usize>,
    reader: &Reader,
) -> Stream<'scope, Time, Parcel> {
    let pact = spread(Owner::Worker(0), Some(columns), reader);
    let reader = reader.clone();
    stream.unary::<CapacityContainerBuilder<Parcel>, _, _, _>(pact, "gather", |_, _| {
        move |input, output| {
            input.for_each(|capability, parcel| {
                if reader.has_come(parcel) {
                    output.session(&capability).give_container(parcel);
                }
            });
        }
    })
}

/// What stands for the rows of each worker: those of a time are held until there are no more of it, or of another time.
fn combined<'scope>(
    stream: Stream<'scope, Time, Parcel>,
    columns: Vec<usize>,
    mut combiner: Box<dyn Combine>,
    failures: Rc<Failures>,
) -> Stream<'scope, Time, Parcel> {
    stream.unary_frontier::<CapacityContainerBuilder<Parcel>, _, _, _>(Pipeline, "combine", move |_, _| {
        // The time of what is held.
        let mut held: Option<Capability<Time>> = None;
        let mut made = Output::default();
        move |(input, frontier), output| {
            let mut send = |capability: &Capability<Time>, made: &mut Output| {
                for batch in made.drain() {
                    output.session(capability).give_container(&mut Parcel(batch));
                }
            };
            input.for_each(|capability, parcel| {
                let Some(capability) = capability.retain_least(0) else {
                    return;
                };
                if let Some(other) = held.take_if(|held| held.time() != capability.time()) {
                    combiner.flush(&mut made);
                    send(&other, &mut made);
                }
                let batch = projected(std::mem::take(&mut parcel.0), &columns);
                if let Err(error) = combiner.absorb(batch, &mut made) {
                    failures.fail(error);
                }
                send(&capability, &mut made);
                held.get_or_insert(capability);
            });
            if let Some(complete) = held.take_if(|held| failures.is_failed() || !frontier.less_equal(held.time())) {
                combiner.flush(&mut made);
                send(&complete, &mut made);
            }
        }
    })
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
                    failures.fail(error.at(driver.program.origin()));
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
