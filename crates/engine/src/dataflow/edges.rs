//! The inputs of operators: which columns of which stream, and how their rows find their worker.

use std::rc::Rc;
use std::sync::Arc;

use timely::communication::Pull;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::Message;
use timely::dataflow::channels::pact::{DistributorPact, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::InputHandleCore;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::operator::Operator as _;
use timely::dataflow::{Scope, Stream};
use towpath_types::Time;

use super::exchange::{Owner, Parcel, Recipient, Spread, projected};
use super::on_the_way::Ledger;
use super::worker_ending::WorkerEnding;
use crate::error::Origin;
use crate::operator::{Combiner, Output, Routing};
use crate::persistence::{Cut, KeptOutput};

type Pact = DistributorPact<Box<dyn FnOnce(usize) -> Spread>>;

fn spread(owner: Owner, columns: Option<Vec<usize>>, recipient: &Recipient) -> Boxed<Pact> {
    let recipient = recipient.clone();
    Boxed(DistributorPact(Box::new(move |_| {
        Spread::new(owner, columns, recipient)
    })))
}

pub(super) type Input = InputHandleCore<Time, Parcel, Box<dyn Pull<Message<Time, Parcel>>>>;

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
    pub(crate) combiner: Option<Box<dyn Combiner>>,
    /// How many workers each process has.
    pub(crate) threads: usize,
}

/// A stream as an operator of timely takes it in.
pub(super) struct Intake {
    /// Which input of the task gets it.
    pub(super) position: usize,
    pub(super) input: Input,
    /// The columns that are still to be chosen.
    pub(super) columns: Option<Vec<usize>>,
    pub(super) recipient: Recipient,
}

impl<'scope> Edge<'scope> {
    /// Connects a task's input at `position`.
    pub(super) fn connect(
        self,
        position: usize,
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
        let recipient = Recipient {
            name: Rc::clone(&node.name),
            origin: node.origin.clone(),
            columns: names.into(),
            here: first..first + threads,
            ending: Rc::clone(&node.ending),
            ledger: Arc::clone(&node.ledger),
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
                position,
                input,
                columns: Some(columns),
                recipient,
            }];
        };
        if routing == Routing::ToEveryProcess && workers > threads {
            // They go through the first worker, so that all see them in its order.
            let gathered = gathered(stream, columns, &recipient);
            return (0..workers)
                .step_by(threads)
                .map(|worker| {
                    let input = builder.new_input(gathered.clone(), spread(Owner::Worker(worker), None, &recipient));
                    Intake {
                        position,
                        input,
                        columns: None,
                        recipient: recipient.clone(),
                    }
                })
                .collect();
        }
        // Only the columns that are read are sent to other workers.
        let (stream, columns, recipient) = match combiner {
            Some(combiner) => {
                let reads = combiner.reads().into_iter();
                let names = reads.map(|position| recipient.columns[position].clone()).collect();
                let recipient = Recipient {
                    columns: names,
                    ..recipient
                };
                (combined(stream, columns, combiner, node), None, recipient)
            }
            None => (stream, Some(columns), recipient),
        };
        let input = builder.new_input(stream, spread(owner, columns, &recipient));
        vec![Intake {
            position,
            input,
            columns: None,
            recipient,
        }]
    }
}

/// What an operator is called, where it was declared, how it ends the run, and who counts its rows on their way.
pub(super) struct Node {
    pub(super) name: Rc<str>,
    pub(super) origin: Option<Origin>,
    pub(super) ending: Rc<WorkerEnding>,
    pub(super) ledger: Arc<Ledger>,
    /// The position of the node in the plan.
    pub(super) position: usize,
    /// Where the run is cut, if the state of operators is kept.
    pub(super) saving: Option<Arc<Cut>>,
    /// For every input whether it stays ended in the runs after this one, once it has ended.
    pub(super) ends_for_good: Vec<bool>,
    /// For an output in a run that is kept.
    pub(super) kept: Option<KeptOutput>,
}

/// The rows of all workers at the first.
fn gathered<'scope>(
    stream: Stream<'scope, Time, Parcel>,
    columns: Vec<usize>,
    recipient: &Recipient,
) -> Stream<'scope, Time, Parcel> {
    let pact = spread(Owner::Worker(0), Some(columns), recipient);
    let recipient = recipient.clone();
    stream.unary::<CapacityContainerBuilder<Parcel>, _, _, _>(pact, "gather", |_, _| {
        move |input, output| {
            input.for_each(|capability, parcel| {
                if let Some(mut parcel) = recipient.take(parcel) {
                    output.session(&capability).give_container(&mut parcel);
                }
            });
        }
    })
}

/// What stands for the rows of each worker: those of a time are held until there are no more of it, or of another time.
fn combined<'scope>(
    stream: Stream<'scope, Time, Parcel>,
    columns: Vec<usize>,
    mut combiner: Box<dyn Combiner>,
    node: &Node,
) -> Stream<'scope, Time, Parcel> {
    let (ending, origin) = (Rc::clone(&node.ending), node.origin.clone());
    stream.unary_frontier::<CapacityContainerBuilder<Parcel>, _, _, _>(Pipeline, "combine", move |_, _| {
        // The time of what is held.
        let mut held: Option<Capability<Time>> = None;
        let mut made = Output::default();
        move |(input, frontier), output| {
            let mut send = |capability: &Capability<Time>, made: &mut Output| {
                for batch in made.drain() {
                    output.session(capability).give_container(&mut Parcel::new(batch));
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
                let (batch, _) = std::mem::take(parcel).open();
                let batch = projected(batch, &columns);
                if let Err(error) = combiner.absorb(batch, &mut made) {
                    ending.fail(error.at(origin.as_ref()));
                }
                send(&capability, &mut made);
                held.get_or_insert(capability);
            });
            if let Some(complete) = held.take_if(|held| ending.is_failed() || !frontier.less_equal(held.time())) {
                combiner.flush(&mut made);
                send(&complete, &mut made);
            }
        }
    })
}
