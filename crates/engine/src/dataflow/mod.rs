//! A physical plan as a timely dataflow. Nothing outside this folder names timely.
//!
//! Time is totally ordered. Each source holds a capability for the time of its open commit; each operator
//! gets the updates of a time when no earlier ones can come any more.
//!
//! Each file reads only those below it:
//!
//! ```text
//! worker                            turns the dataflow until it ends or fails
//!   build                           makes it of a plan
//!     sources      operators        what stands at a node
//!                    driver         what a task does next
//!                    saving         how its state is saved
//!                    edges          how rows come to it
//!     fed              exchange     and to other workers
//!     context                       what the workers of a run know of it
//!       worker_ending, ending       how it ends before its sources do
//!         times                     what the streams of sources know of each other
//!         on_the_way                rows that nobody has taken yet
//!       opening                     how it is known that it has begun
//!   network                         the connections to other processes
//! ```

mod build;
mod context;
mod driver;
mod edges;
mod ending;
mod exchange;
mod fed;
mod network;
mod on_the_way;
mod opening;
mod operators;
mod saving;
mod sources;
mod times;
mod worker;
mod worker_ending;

pub(crate) use context::RunContext;
pub(crate) use ending::Ending;
pub(crate) use network::{LostWire, Network};
pub(crate) use on_the_way::Ledger;
pub(crate) use opening::Opening;
pub(crate) use times::SourceTimes;
pub(crate) use worker::{Workers, start_workers};
