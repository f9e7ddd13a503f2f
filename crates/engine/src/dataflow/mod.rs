//! A physical plan as a timely dataflow. Nothing outside this folder names timely.
//!
//! Time is totally ordered. Each source holds a capability for the time of its open commit; each operator
//! gets the updates of a time when no earlier ones can come any more.

mod edges;
mod exchange;
mod network;
mod on_the_way;
mod operators;
mod sources;
mod times;
mod worker;

pub(crate) use network::{LostWire, Network};
pub(crate) use on_the_way::Ledger;
pub(crate) use times::SourceTimes;
pub(crate) use worker::{Shared, Workers, start_workers};
