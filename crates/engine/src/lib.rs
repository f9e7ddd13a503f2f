//! The incremental engine: what to compute is a [`Plan`], how it runs is the dataflow's business.
//!
//! The rooms, in reading order: [`expression`] says how a column is computed from others,
//! [`operator`] what a node of the plan answers about itself, [`operators`] are the nodes there
//! are, [`plan`] puts them together, [`source`] brings data in, [`runtime`] runs a plan.
//! Only [`dataflow`] knows timely.

pub mod clock;
mod cluster;
mod dataflow;
pub mod error;
pub mod expression;
mod fingerprint;
mod live_errors;
pub mod monitor;
pub mod operator;
pub mod operators;
pub mod physical;
pub mod plan;
pub mod program;
pub mod reducers;
pub mod runtime;
pub mod source;
pub mod store;
pub mod testing;

pub use cluster::Member;
pub use error::{EngineError, ErrorKind, Origin, PlanError, RowError};
pub use expression::{Evaluation, Expression, Function, Operand, UserFunction};
pub use fingerprint::{Description, Identity, listed};
pub use operator::{Operator, Output, Pruned, Reporter, Routing, Task, TaskContext};
pub use plan::{ColumnId, NodeId, Plan};
pub use runtime::{Run, RunOptions};
pub use source::{Source, SourceContext, SourceHandle, SourceQueue};
