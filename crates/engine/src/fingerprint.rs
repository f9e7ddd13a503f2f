//! What a plan is, as text: for the check that all processes run the same, and to know a node again after a restart.
//!
//! Everything that a node is made of says so itself, in a [`Description`].
//!
//! A node's [`Identity`] is a hash of what it is and of the identities of what it reads. Sources and outputs are known
//! by their names first, so that they stay the same when their settings change, and so does what comes of them. It does
//! not depend on the node's number in the plan; of nodes that are the same in everything, it tells which one it is.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use towpath_cluster::{Declared, Setting};
use towpath_types::{Field, Object, Words};
use xxhash_rust::xxh3::xxh3_128;

use crate::description::{Description, Said, setting};
use crate::error::Origin;
use crate::expression::{Names, UserFunction, shown, with_objects_as};
use crate::plan::{ColumnId, NodeId, NodeKind, Plan};

/// The hash by which a node is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(pub u128);

impl Description {
    /// The columns that a source fills.
    pub fn set_fields(&mut self, fields: &[Field]) {
        for field in fields {
            let key = if field.primary_key { ", primary key" } else { "" };
            let label = format!("column {:?}", field.name);
            let mut objects = Vec::new();
            let default = field.default.as_ref().map_or_else(String::new, |default| {
                let default = with_objects_as(default, &mut |object| {
                    objects.push(object.words());
                    objects[objects.len() - 1].name.clone()
                });
                format!(", default {}", shown(&default))
            });
            self.set(&label, format_args!("{}{key}{default}", field.dtype));
            for words in &objects {
                self.set_words(&format!("{label}, default, "), words);
            }
        }
    }

    /// What something of the user's is.
    pub fn set_words(&mut self, prefix: &str, words: &Words) {
        for (label, text) in &words.settings {
            self.set(&format!("{prefix}{label}"), text);
        }
        for (label, text) in &words.hints {
            self.hint(&format!("{prefix}{label}"), text);
        }
    }
}

/// What a plan is.
pub(crate) struct Fingerprint {
    pub(crate) declared: Vec<Declared>,
    /// The same as far as it has to stay when the state of operators is kept: of what is known by its name only what it
    /// reads, and its types.
    pub(crate) lasting: Vec<Declared>,
    /// Where each node is among these.
    nodes: Vec<usize>,
    pub(crate) identities: Vec<Identity>,
}

impl Fingerprint {
    /// Says more of a node.
    pub(crate) fn set(&mut self, node: NodeId, label: &str, value: impl fmt::Display) {
        let declared = &mut self.declared[self.nodes[node.0]];
        declared.settings.push(setting(label, value.to_string()));
    }
}

impl Plan {
    /// What the plan is, without the rows of its tables.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut speaker = Speaker {
            plan: self,
            columns: HashMap::new(),
            foreign: HashMap::new(),
            shared: HashMap::new(),
            declared: Vec::new(),
            lasting: Vec::new(),
            nodes: Vec::new(),
            identities: Vec::new(),
            same: HashMap::new(),
        };
        for node in 0..self.nodes.len() {
            speaker.describe(NodeId(node));
        }
        Fingerprint {
            declared: speaker.declared,
            lasting: speaker.lasting,
            nodes: speaker.nodes,
            identities: speaker.identities,
        }
    }

    /// What each node is known by, in the order of the nodes.
    pub fn identities(&self) -> Vec<Identity> {
        self.fingerprint().identities
    }
}

/// Puts a plan into words.
struct Speaker<'a> {
    plan: &'a Plan,
    /// What has been said of the columns.
    columns: HashMap<usize, Said>,
    /// What has been said of functions and objects of the user's, by their addresses.
    foreign: HashMap<usize, Said>,
    /// What has been said of expressions, by their addresses: shared ones are looked at once.
    shared: HashMap<usize, Said>,
    declared: Vec<Declared>,
    lasting: Vec<Declared>,
    nodes: Vec<usize>,
    identities: Vec<Identity>,
    /// How many nodes with the same hash there are.
    same: HashMap<u128, usize>,
}

impl Speaker<'_> {
    /// Says what a node is.
    fn describe(&mut self, node: NodeId) {
        let plan = self.plan;
        let own = &plan.nodes[node.0];
        let mut description = Description::default();
        let mut exactly = Vec::new();
        // How many of the settings are of what it reads.
        let mut reads = 0;
        let what = match &own.rows {
            NodeKind::Source(source) => {
                source.describe(&mut description);
                source.name()
            }
            NodeKind::Filter { input, condition } => {
                self.read(*input, &mut description, &mut exactly);
                let condition = self.column_of(*condition);
                exactly.extend(condition.digest.to_le_bytes());
                description.exactly("", &condition);
                "filter".to_owned()
            }
            NodeKind::Operator { operator, inputs } => {
                for input in inputs {
                    self.read(input.node, &mut description, &mut exactly);
                    self.read_columns(&input.columns, &mut description, &mut exactly);
                }
                reads = description.settings.len();
                operator.describe(&mut description);
                operator.label()
            }
        };
        let dtypes: Vec<String> = own
            .columns
            .iter()
            .map(|column| plan.dtype(*column).to_string())
            .collect();
        description.set("types", dtypes.join(", "));
        let called = description.what.take();
        // What an output is called where nobody says so has its settings in it.
        let kind = match (&own.rows, &called) {
            (NodeKind::Operator { operator, .. }, None) if own.columns.is_empty() => operator.name().to_owned(),
            _ => called.clone().unwrap_or_else(|| what.clone()),
        };
        let what = called.unwrap_or(what);
        let is_output = matches!(own.rows, NodeKind::Operator { .. }) && own.columns.is_empty();
        let lasting = lasting_settings(&description, reads, is_output);
        match &description.name {
            Some(name) => exactly = name.as_bytes().to_vec(),
            None => {
                exactly.extend(what.as_bytes());
                for setting in &description.settings {
                    exactly.extend(setting.label.as_bytes());
                    exactly.extend(setting.digest.to_le_bytes());
                }
            }
        }
        self.identify(&exactly);
        self.nodes.push(self.declared.len());
        let declared = description.declared(what, own.origin.as_ref());
        self.lasting.push(Declared {
            what: kind,
            settings: lasting,
            hints: Vec::new(),
            ..declared.clone()
        });
        self.declared.push(declared);
    }

    /// Gives the next node its identity, which tells it also from nodes that are the same in everything.
    fn identify(&mut self, exactly: &[u8]) {
        let hash = xxh3_128(exactly);
        let times = self.same.entry(hash).or_insert(0);
        *times += 1;
        self.identities.push(Identity(match times {
            1 => hash,
            times => xxh3_128(&[&hash.to_le_bytes()[..], &times.to_le_bytes()].concat()),
        }));
    }

    /// Says which columns of an input an operator has.
    fn read_columns(&mut self, columns: &[ColumnId], description: &mut Description, exactly: &mut Vec<u8>) {
        for (position, column) in columns.iter().enumerate() {
            let said = self.column_of(*column);
            exactly.extend(said.digest.to_le_bytes());
            let name = self.plan.columns[column.0].name.as_ref();
            let label = name.map_or_else(|| format!("column {}", position + 1), |name| format!("column {name:?}"));
            description.exactly(&label, &said);
        }
    }

    /// Says what a node reads.
    fn read(&self, input: NodeId, description: &mut Description, exactly: &mut Vec<u8>) {
        let identity = self.identities[input.0].0;
        exactly.extend(identity.to_le_bytes());
        let node = &self.plan.nodes[input.0];
        let what = match &node.rows {
            NodeKind::Source(source) => source.name(),
            NodeKind::Filter { .. } => "filter".to_owned(),
            NodeKind::Operator { operator, .. } => operator.label(),
        };
        let place = node
            .origin
            .as_ref()
            .map_or_else(String::new, |origin| format!(" at line {}", origin.line));
        let said = Said {
            text: format!("{what}{place}"),
            digest: identity,
        };
        description.exactly("rows", &said);
    }

    /// What a column is, and how it is computed unless its name says so: then that has been declared before.
    ///
    /// Those that it is computed from are said before it, one after the other: there may be a chain of thousands.
    fn column_of(&mut self, column: ColumnId) -> Said {
        let mut open = vec![column];
        while let Some(next) = open.last().copied() {
            let before = open.len();
            if !self.columns.contains_key(&next.0)
                && let Some(expression) = &self.plan.columns[next.0].expression
            {
                expression.for_each_column(&mut |read| {
                    if !self.columns.contains_key(&read) {
                        open.push(ColumnId(read));
                    }
                });
            }
            if open.len() == before {
                open.pop();
                if !self.columns.contains_key(&next.0) {
                    let said = self.say(next);
                    self.columns.insert(next.0, said);
                }
            }
        }
        self.columns[&column.0].clone()
    }

    fn say(&mut self, column: ColumnId) -> Said {
        let plan = self.plan;
        let definition = &plan.columns[column.0];
        let node = definition.node;
        match &definition.expression {
            None => {
                let position = plan.nodes[node.0].columns.iter().position(|other| *other == column);
                let position = position.unwrap_or_default();
                let mut exactly = self.identities[node.0].0.to_le_bytes().to_vec();
                exactly.extend(position.to_le_bytes());
                let text = definition
                    .name
                    .as_ref()
                    .map_or_else(|| format!("column {}", position + 1), ToString::to_string);
                Said::new(text, &exactly)
            }
            Some(expression) => {
                let computed = expression.said(self);
                match &definition.name {
                    None => computed,
                    Some(name) => {
                        let mut description = Description::default();
                        description.exactly("", &computed);
                        let origin = expression.origin().or(plan.nodes[node.0].origin.as_ref());
                        self.declared
                            .push(description.declared(format!("column {name:?}"), origin));
                        Said {
                            text: name.to_string(),
                            digest: computed.digest,
                        }
                    }
                }
            }
        }
    }
}

/// What has to stay of a node's settings when the state of operators is kept; `reads` of them are of what it reads, the last
/// is of its types.
fn lasting_settings(description: &Description, reads: usize, is_output: bool) -> Vec<Setting> {
    let mut lasting = description.settings.clone();
    if description.name.is_some() || is_output {
        // What it is set to may change; an output has no state, wherever it writes to.
        let types = lasting.len() - 1;
        lasting.drain(reads..types);
    }
    if let Some(name) = &description.name {
        lasting.insert(0, setting("name", name.clone()));
    }
    lasting
}

impl Speaker<'_> {
    /// Says what something of the user's is, once.
    fn foreign(
        &mut self,
        kind: &str,
        address: usize,
        origin: Option<&Origin>,
        describe: impl FnOnce() -> (String, Description),
    ) -> Said {
        if let Some(said) = self.foreign.get(&address) {
            return said.clone();
        }
        let (name, description) = describe();
        let mut exactly = name.as_bytes().to_vec();
        for setting in &description.settings {
            exactly.extend(setting.label.as_bytes());
            exactly.extend(setting.digest.to_le_bytes());
        }
        let said = Said::new(name.clone(), &exactly);
        self.declared
            .push(description.declared(format!("{kind} {name}"), origin));
        self.foreign.insert(address, said.clone());
        said
    }
}

impl Names for Speaker<'_> {
    fn column(&mut self, column: usize) -> Said {
        self.column_of(ColumnId(column))
    }

    fn function(&mut self, function: &Arc<dyn UserFunction>, origin: Option<&Origin>) -> Said {
        self.foreign("function", Arc::as_ptr(function).cast::<()>() as usize, origin, || {
            let mut description = Description::default();
            function.describe(&mut description);
            // What messages call it may have an address in it.
            let name = description.name.take().unwrap_or_else(|| function.name().to_owned());
            (name, description)
        })
    }

    fn object(&mut self, object: &Arc<dyn Object>, origin: Option<&Origin>) -> Said {
        self.foreign("object", Arc::as_ptr(object).cast::<()>() as usize, origin, || {
            let mut description = Description::default();
            let words = object.words();
            description.set_words("", &words);
            (words.name, description)
        })
    }

    fn known(&self, address: usize) -> Option<Said> {
        self.shared.get(&address).cloned()
    }

    fn remember(&mut self, address: usize, said: &Said) {
        self.shared.insert(address, said.clone());
    }
}

#[cfg(test)]
mod tests {
    use towpath_types::{DType, Value};

    use super::*;
    use crate::expression::{Expression, function};
    use crate::source::{Commits, Kept, Source, SourceContext};
    use crate::testing::collect;
    use crate::{EngineError, SourceHandle};

    #[derive(Debug)]
    struct Named {
        name: &'static str,
        setting: i64,
    }

    impl Source for Named {
        fn name(&self) -> String {
            self.name.to_owned()
        }

        fn describe(&self, description: &mut Description) {
            description.known_as(self.name);
            description.set("setting", self.setting);
        }

        fn columns(&self) -> Vec<DType> {
            vec![DType::Int, DType::Int]
        }

        fn is_append_only(&self) -> bool {
            true
        }

        fn has_unique_keys(&self) -> bool {
            true
        }

        fn kept(&self) -> Kept {
            Kept::Nothing
        }

        fn commits(&self) -> Commits {
            Commits::AtEnd
        }

        fn start(&self, _context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
            panic!("it is only looked at");
        }
    }

    /// The rows of a source of which a column is greater than a number, and an output.
    fn add(plan: &mut Plan, name: &'static str, setting: i64, column: usize, least: i64) -> [NodeId; 3] {
        let source = plan.source(Arc::new(Named { name, setting }), None);
        let column = plan.columns(source)[column];
        let greater = function(">").expect("there is such a function");
        let arguments = vec![
            plan.expression(column),
            Expression::literal(Value::Int(least), DType::Int),
        ];
        let condition = Expression::call(greater, arguments).expect("the types fit");
        let condition = plan.define(source, condition).expect("the column is there");
        let filter = plan.filter(source, condition, None).expect("it is a bool");
        collect(plan, filter, vec![column]).expect("the column is there");
        let output = *plan.outputs().last().expect("it was made");
        [source, filter, output]
    }

    fn identities(plan: &Plan, nodes: [NodeId; 3]) -> [Identity; 3] {
        let identities = plan.identities();
        nodes.map(|node| identities[node.0])
    }

    #[test]
    fn a_node_is_known_wherever_it_is_in_the_plan() {
        let mut plan = Plan::default();
        let nodes = add(&mut plan, "a", 1, 0, 5);
        let alone = identities(&plan, nodes);
        let mut plan = Plan::default();
        add(&mut plan, "b", 1, 0, 5);
        let nodes = add(&mut plan, "a", 1, 0, 5);
        assert_eq!(identities(&plan, nodes), alone);
    }

    #[test]
    fn a_node_is_known_by_what_it_is_and_reads() {
        let of = |name, setting, column, least| {
            let mut plan = Plan::default();
            let nodes = add(&mut plan, name, setting, column, least);
            identities(&plan, nodes)
        };
        let before = of("a", 1, 0, 5);
        // A source is known by its name, also when its settings change.
        assert_eq!(of("a", 2, 0, 5), before);
        for after in [of("b", 1, 0, 5), of("a", 1, 1, 5), of("a", 1, 0, 6)] {
            assert_ne!(after[1], before[1]);
            assert_ne!(after[2], before[2]);
        }
    }

    #[test]
    fn what_has_to_last_is_all_but_what_sources_and_outputs_are_set_to() {
        let of = |name, setting, column, least| {
            let mut plan = Plan::default();
            add(&mut plan, name, setting, column, least);
            plan.fingerprint().lasting
        };
        let before = of("a", 1, 0, 5);
        assert_eq!(of("a", 2, 0, 5), before);
        for after in [of("b", 1, 0, 5), of("a", 1, 1, 5), of("a", 1, 0, 6)] {
            assert_ne!(after, before);
        }
    }

    #[test]
    fn nodes_that_are_the_same_in_everything_are_told_apart() {
        let mut plan = Plan::default();
        let first = add(&mut plan, "a", 1, 0, 5);
        let second = add(&mut plan, "a", 1, 0, 5);
        let (first, second) = (identities(&plan, first), identities(&plan, second));
        assert!(first.iter().zip(&second).all(|(first, second)| first != second));
    }

    #[test]
    fn a_chain_of_columns_may_be_long() {
        let mut plan = Plan::default();
        let source = plan.source(Arc::new(Named { name: "a", setting: 1 }), None);
        let mut column = plan.columns(source)[0];
        let plus = function("+").expect("there is such a function");
        for number in 0..20_000 {
            let arguments = vec![plan.expression(column), Expression::literal(Value::Int(1), DType::Int)];
            let sum = Expression::call(plus, arguments).expect("the types fit");
            column = plan.define(source, sum).expect("the column is there");
            if number % 2 == 0 {
                plan.name(column, "sum");
            }
        }
        collect(&mut plan, source, vec![column]).expect("the column is there");
        assert_eq!(plan.fingerprint().declared.len(), 10_002);
    }
}
