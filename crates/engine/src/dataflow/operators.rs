//! Operators of timely: what has come to one is handed to its driver, and what that puts out goes on.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, Stream};
use towpath_types::Time;

use super::driver::{Driver, Turn};
use super::edges::{Edge, Intake, Node};
use super::exchange::{Parcel, projected};
use crate::monitor::Counters;
use crate::operator::Task;
use crate::program::RunningProgram;

/// How long an operator waits before it looks again whether others have taken what it put out.
const PAUSE: Duration = Duration::from_millis(1);

/// Adds a task to the dataflow.
pub(crate) fn add_operator<'scope>(
    scope: Scope<'scope, Time>,
    node: &Node,
    edges: Vec<Edge<'scope>>,
    task: Box<dyn Task>,
    program: RunningProgram,
    counters: Arc<Counters>,
) -> Stream<'scope, Time, Parcel> {
    let ending = Rc::clone(&node.ending);
    let mut builder = OperatorBuilder::new(node.name.to_string(), scope);
    let address = builder.operator_info().address;
    let activator = scope.activator_for(Rc::clone(&address));
    let mut driver = Driver::new(node, edges.len(), task, program, counters);
    let mut inputs = Vec::new();
    for (position, edge) in edges.into_iter().enumerate() {
        inputs.extend(edge.connect(position, scope, &mut builder, node));
    }
    let (output, stream) = builder.new_output::<Parcel>();
    let mut output: OutputBuilder<Time, CapacityContainerBuilder<Parcel>> = OutputBuilder::from(output);
    if let Some(kept) = &node.kept {
        let waker = scope.worker().sync_activator_for(address.to_vec());
        // It fails only when the worker is gone, and then nobody needs to be woken.
        kept.wakes(move || {
            let _ = waker.activate();
        });
    }
    builder.build(move |capabilities| {
        drop(capabilities);
        move |frontiers| {
            if ending.is_failed() {
                driver.give_up();
                for intake in &mut inputs {
                    intake.input.for_each(|_, parcel| drop(std::mem::take(parcel)));
                }
                return;
            }
            let mut output = output.activate();
            let mut send = |capability: &Capability<Time>, mut parcel: Parcel| {
                output.session(capability).give_container(&mut parcel);
            };
            inputs.iter_mut().for_each(|intake| take(intake, &mut driver));
            let frontier = frontiers
                .iter()
                .filter_map(|frontier| frontier.frontier().first().copied())
                .min();
            match driver.advance(frontier, &mut send) {
                Ok(Turn::Done) => driver.announce_ends(|input| {
                    let mut fed = inputs
                        .iter()
                        .zip(frontiers)
                        .filter(|(intake, _)| intake.position == input);
                    fed.all(|(_, frontier)| frontier.frontier().is_empty())
                }),
                Ok(Turn::Yield) => activator.activate(),
                Ok(Turn::Wait) => activator.activate_after(PAUSE),
                Err(error) => driver.fail(error, &ending),
            }
        }
    });
    stream
}

/// Takes what has come to an input.
fn take(intake: &mut Intake, driver: &mut Driver) {
    let Intake {
        position,
        input,
        columns,
        recipient,
    } = intake;
    input.for_each(|capability, parcel| {
        let Some((batch, credit)) = recipient.take(parcel).map(Parcel::open) else {
            return;
        };
        let batch = match columns {
            Some(columns) => projected(batch, columns),
            None => batch,
        };
        if let Some(capability) = capability.retain_least(0) {
            driver.take(*position, capability, batch, credit);
        }
    });
}
