//! What of a plan is kept, and by which names: they are the same in every run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use towpath_types::{DType, Physical};

use crate::description::{Description, listed};
use crate::error::{EngineError, ErrorKind};
use crate::fingerprint::Identity;
use crate::monitor::{Role, Watched};
use crate::operator::Routing;
use crate::persistence::{Histories, Manifest, StatePart};
use crate::physical::{PhysicalPlan, Work};
use crate::source::{Division, Kept, Resume, Source, Team};

/// What is kept by name: streams of sources, and outputs.
#[derive(Default)]
pub(super) struct Names {
    pub(super) all: Vec<String>,
    /// How many outputs of a kind have no name.
    pub(super) unnamed: BTreeMap<String, usize>,
}

impl Names {
    /// The name of a connector, which is the same in every run: what the user calls it, or else its kind and number.
    fn connector(&mut self, what: &str, kind: &str, description: &Description) -> String {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        match description.name() {
            Some(name) if !name.ends_with('\n') => format!("{what} {name:?}"),
            // Such a name says what it reads, and how many have read that before.
            Some(name) => format!("{what} {}", words(name)),
            None => {
                let number = self.unnamed.entry(format!("{what} {kind}")).or_insert(0);
                *number += 1;
                format!("{what} {kind} {number}")
            }
        }
    }

    /// The name of a source.
    fn source(&mut self, source: &dyn Source) -> String {
        let mut description = Description::default();
        source.describe(&mut description);
        let kind = format!("{} ({})", source.name(), listed(source.columns()));
        self.connector("source", &kind, &description)
    }

    /// The number of a part of it.
    fn add(&mut self, name: String) -> u32 {
        self.all.push(name);
        (self.all.len() - 1) as u32
    }
}

/// What of a plan is kept, in the order of the numbers in the journal.
pub(super) struct Part {
    pub(super) node: usize,
    /// The stream of a source, or the worker that writes an output.
    pub(super) part: usize,
    pub(super) name: String,
    pub(super) number: u32,
    /// How a source goes on, and how its columns lie in memory; nothing for an output.
    pub(super) source: Option<(Resume, Arc<[Physical]>)>,
}

/// Between the name of an output and the number of a part of it.
pub(super) const PART: &str = " part ";

/// By what the parts of a plan are known whose state is kept.
pub(super) fn state_names(plan: &PhysicalPlan, identities: &[Identity]) -> HashMap<StatePart, String> {
    let mut names = HashMap::new();
    // Several nodes may come of one of the program.
    let mut numbers: HashMap<usize, usize> = HashMap::new();
    for (position, node) in plan.nodes.iter().enumerate() {
        let number = numbers.entry(node.id.0).or_insert(0);
        *number += 1;
        let name = format!("{:032x}-{number}", identities[node.id.0].0);
        for (is_program, end) in [(false, ""), (true, "-results")] {
            let part = StatePart {
                node: position,
                is_program,
            };
            names.insert(part, format!("{name}{end}"));
        }
    }
    names
}

/// Makes sure that an output in parts has as many writers as when the state was kept: what each has is in its part.
pub(super) fn check_parts(name: &str, snapshot: &Manifest) -> Result<(), EngineError> {
    let Some((output, own)) = name.rsplit_once(PART) else {
        return Ok(());
    };
    let writers = |part: &str| {
        part.split_once(" of ")
            .map_or_else(String::new, |(_, writers)| writers.to_owned())
    };
    let prefix = format!("{output}{PART}");
    let mut others = snapshot.output_names().filter_map(|other| other.strip_prefix(&prefix));
    match others.find(|other| writers(other) != writers(own)) {
        None => Ok(()),
        Some(other) => {
            let message = format!(
                "{output} was written in {} parts, and would be written in {} now: where only the state of operators is \
                 kept, run with as many workers as before, or write one file",
                writers(other),
                writers(own)
            );
            Err(EngineError::new(ErrorKind::Value, message))
        }
    }
}

/// What the streams of a source are called of which something is kept and which a division does not have, if what is kept has
/// these `names` and the source is known as `connector`.
fn former<'a>(
    connector: &str,
    source: &dyn Source,
    division: &Division,
    names: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let listed: BTreeSet<Option<String>> = (0..division.streams)
        .map(|stream| source.stream_name(stream, division))
        .collect();
    let kept = names.filter_map(|name| unquoted(name.strip_prefix(connector)?.strip_prefix(' ')?));
    kept.filter(|name| !listed.contains(&Some(name.clone()))).collect()
}

/// What was written with `{:?}`, if that is all that was.
fn unquoted(text: &str) -> Option<String> {
    let mut name = String::new();
    let mut rest = text.strip_prefix('"')?.strip_suffix('"')?.chars();
    while let Some(next) = rest.next() {
        name.push(match next {
            '\\' => match rest.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'u' => {
                    let digits: String = rest.by_ref().skip(1).take_while(|digit| *digit != '}').collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                }
                other => other,
            },
            other => other,
        });
    }
    (format!("{name:?}") == text).then_some(name)
}

/// Adds to each division the streams that runs before have kept and that it does not have any more.
pub(super) fn add_former(plan: &PhysicalPlan, divisions: &mut BTreeMap<usize, Division>, kept: &Histories) {
    let mut names = Names::default();
    for (node, own) in plan.nodes.iter().enumerate() {
        let Work::Source { source, .. } = &own.work else {
            continue;
        };
        let (Kept::Rows(_), Some(division)) = (source.kept(), divisions.get_mut(&node)) else {
            continue;
        };
        let connector = names.source(&**source);
        let former = former(&connector, &**source, division, kept.names());
        if !former.is_empty() {
            let names: Vec<String> = former.iter().map(|name| format!("{name:?}")).collect();
            tracing::warn!(
                target: "pathway",
                "{connector}: {} kept, and not among its partitions any more; the rows stay",
                if let [name] = &names[..] { format!("{name} is") } else { format!("{} are", names.join(", ")) },
            );
        }
        source.add_former(division, former);
    }
}

/// What of a plan is kept.
pub(super) fn parts(
    plan: &PhysicalPlan,
    watched: &[Watched],
    divisions: &BTreeMap<usize, Division>,
    team: Team,
) -> (Vec<Part>, Names) {
    let (mut parts, mut names) = (Vec::new(), Names::default());
    for (node, (own, watched)) in plan.nodes.iter().zip(watched).enumerate() {
        match &own.work {
            Work::Source { source, .. } => {
                let (Kept::Rows(resume), Some(division)) = (source.kept(), divisions.get(&node)) else {
                    continue;
                };
                let connector = names.source(&**source);
                let layouts: Arc<[Physical]> = source.columns().iter().map(DType::physical).collect();
                for part in 0..division.streams {
                    let name = match source.stream_name(part, division) {
                        Some(stream) => format!("{connector} {stream:?}"),
                        None => connector.clone(),
                    };
                    let number = names.add(name.clone());
                    let source = Some((resume, Arc::clone(&layouts)));
                    parts.push(Part {
                        node,
                        part,
                        name,
                        number,
                        source,
                    });
                }
            }
            Work::Operator { operator, .. } if watched.role == Role::Sink => {
                let mut description = Description::default();
                operator.describe(&mut description);
                let connector = names.connector("output", operator.name(), &description);
                let writers = match operator.routing(0) {
                    Routing::ToFirst => 1,
                    // Such rows go back into the program, which is the same in every process.
                    Routing::ToEveryProcess => 0,
                    _ => team.workers(),
                };
                for part in 0..writers {
                    let name = match operator.routing(0) {
                        Routing::ToFirst => connector.clone(),
                        _ => format!("{connector}{PART}{} of {writers}", part + 1),
                    };
                    let number = names.add(name.clone());
                    parts.push(Part {
                        node,
                        part,
                        name,
                        number,
                        source: None,
                    });
                }
            }
            Work::Operator { .. } | Work::Pass(_) => {}
        }
    }
    (parts, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_streams_are_found_in_those_of_what_is_kept() {
        for name in [
            "",
            "a",
            "a b",
            "\"",
            "\\",
            "\\\"",
            "\n\0\u{301}é漢",
            "a\" \"b",
            "'",
            "\u{7f}\u{200b}}",
        ] {
            assert_eq!(unquoted(&format!("{name:?}")).as_deref(), Some(name));
        }
        for other in ["", "\"", "a", "\"a", "\"a\" \"b\"", "\"\\x\"", "\"\\u{110000}\""] {
            assert_eq!(unquoted(other), None, "{other}");
        }
    }
}
