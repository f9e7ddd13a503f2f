//! The incremental engine: what to compute is a [`Plan`], how it runs is the dataflow's business.
//!
//! The rooms, in reading order: [`expression`] says how a column is computed from others,
//! [`operator`] what a node of the plan answers about itself, [`operators`] are the nodes there
//! are, [`plan`] puts them together, [`source`] brings data in, [`runtime`] runs a plan.
//! Only `dataflow` knows timely. Each room reads only those below it, which a test keeps:
//!
//! ```text
//! testing
//! runtime                        how a run begins and ends
//! dataflow                       a physical plan as a timely dataflow
//! fingerprint, physical          a plan in words; a plan made ready to run
//! operators, plan                the operators there are; what to compute
//! operator, cluster              what an operator answers; what processes tell each other
//! reducers, program, monitor     aggregates; fused columns and filters; counting what passes
//! persistence, kept_results      what is kept for the next run, and with rows
//! expression, source             how a column is computed; how data comes in
//! reporter, description, store   the way of failures; things in words; rows in slots
//! live_errors, type_rules        which failures are news; which types fit tables
//! state                          the state of tasks as it is saved
//! error, clock
//! ```

pub mod clock;
mod cluster;
mod dataflow;
mod description;
pub mod error;
pub mod expression;
mod fingerprint;
mod kept_results;
mod live_errors;
pub mod monitor;
pub mod operator;
pub mod operators;
pub mod persistence;
pub mod physical;
pub mod plan;
pub mod program;
pub mod reducers;
pub mod reporter;
pub mod runtime;
pub mod source;
pub mod state;
pub mod store;
pub mod testing;
pub mod type_rules;

pub use cluster::Member;
pub use description::{Description, listed};
pub use error::{EngineError, ErrorKind, Origin, PlanError, RowError};
pub use expression::{Evaluation, Expression, Function, Operand, UserFunction};
pub use fingerprint::Identity;
pub use operator::{ColumnName, Operator, Output, Pruned, Routing, Task, TaskContext};
pub use persistence::{KeptOutput, Persistence};
pub use plan::{ColumnId, NodeId, Plan};
pub use reporter::Reporter;
pub use runtime::{Run, RunOptions};
pub use source::{Source, SourceContext, SourceHandle, SourceQueue};
pub use state::Saved;
