//! How a run begins: the plan is lowered, the processes agree, the workers start, then the sources.

use std::sync::{Arc, Weak};

use towpath_cluster::Peer;
use towpath_durability::State;
use towpath_types::Time;

use super::agreement::{agree, is_followed_elsewhere};
use super::counts::Heard;
use super::error_log::{AsideLog, RunLog, SourceLog};
use super::keeping::Opened;
use super::options::RunOptions;
use super::streams::{Sources, watch};
use crate::cluster::{Connections, Lines, Orders, Told, gone};
use crate::dataflow::{Ending, Ledger, LostWire, Network, Opening, RunContext, SourceTimes, Workers, start_workers};
use crate::error::{EngineError, ErrorKind};
use crate::fingerprint::Fingerprint;
use crate::live_errors::LiveErrors;
use crate::monitor::{Counts, Part, Watched};
use crate::persistence::{Journal, Persistence};
use crate::physical::{PhysicalNode, PhysicalPlan, Work};
use crate::plan::{NodeId, Plan};
use crate::reporter::{ErrorLog, Reporter};
use crate::source::{Kept, SourceContext, SourceStream, Team};

/// A run that has started.
pub(super) struct Started {
    pub(super) run: Arc<RunContext>,
    pub(super) sources: Arc<Sources>,
    pub(super) lines: Arc<Lines>,
    pub(super) heard: Arc<Heard>,
    pub(super) workers: Workers,
    /// To the other processes, if there are any.
    pub(super) connections: Option<Connections>,
    /// Where the run is kept.
    pub(super) state: Option<State>,
}

/// Starts a plan, see [`Run::start`](super::Run::start).
pub(super) fn start(plan: &Plan, options: RunOptions) -> Result<Started, EngineError> {
    let roots = roots(plan, &options);
    let physical = PhysicalPlan::lower(
        plan,
        &roots,
        options.everything,
        !options.terminate_on_error,
        options.persistence.is_some(),
        options
            .persistence
            .as_ref()
            .is_some_and(|kept| kept.snapshots.is_some()),
    );
    let team = team(&options);
    let process = options.cluster.as_ref().map_or(0, |cluster| cluster.process);
    let persistence = options.persistence.as_ref();
    let mut opened = Ok(None);
    if process == 0 {
        opened = persistence.map(Opened::open).transpose();
    }
    let kept = opened.as_ref().map(Option::as_ref).map_err(Clone::clone);
    let (peers, orders) = agree(plan, &physical, &options, team, kept)?;
    if process > 0 {
        let join = |persistence: &Persistence| Opened::join(persistence, orders.generation);
        opened = persistence.map(join).transpose();
    }
    let opened = opened?;
    let outputs = if options.everything { &[] } else { &roots[..] };
    let lines = Arc::new(Lines::default());
    let fingerprint = persistence
        .filter(|kept| kept.snapshots.is_some())
        .map(|_| plan.fingerprint());
    let Context { run, log, state } = context(physical, outputs, &options, &orders, &lines, (opened, fingerprint))?;
    let (sources, heard) = (Arc::new(Sources::default()), Arc::new(Heard::default()));
    let asked = Asked {
        ending: Arc::downgrade(&run.ending),
        sources: Arc::clone(&sources),
        ledger: Arc::clone(&run.ledger),
        times: Arc::clone(&run.times),
        heard: Arc::clone(&heard),
        journal: run.keeping.as_ref().and_then(|keeping| keeping.journal.clone()),
        run: Arc::downgrade(&run),
    };
    let keeping = run.keeping.as_ref();
    if let Some(keeping) = keeping.filter(|_| process > 0) {
        // Before the first process can say anything of it.
        keeping.take_snapshots()?;
    }
    let (network, connections) = connect(&options, peers, &lines, asked)?.unzip();
    if let Some(keeping) = keeping {
        // The first does so when the others can hear it.
        keeping.take_snapshots()?;
    }
    if let Some(journal) = run.keeping.as_ref().and_then(|keeping| keeping.journal.as_ref()) {
        // A process that reads nothing says so now that the others can hear it.
        journal.want();
    }
    let workers = match start_workers(&run, network) {
        Ok(workers) => workers,
        Err(error) => {
            let error = EngineError::new(ErrorKind::Runtime, format!("the workers did not start: {error}"));
            // Those that did start end, and so do the other processes.
            run.ending.fail(error.clone());
            if let Some(connections) = connections {
                connections.close(true);
            }
            return Err(error);
        }
    };
    start_sources(&run, &sources, &log, &orders);
    Ok(Started {
        run,
        sources,
        lines,
        heard,
        workers,
        connections,
        state,
    })
}

/// The nodes that run whether others need them or not.
fn roots(plan: &Plan, options: &RunOptions) -> Vec<NodeId> {
    let outputs = options.outputs.as_ref().unwrap_or(&plan.outputs);
    if !options.everything {
        return outputs.clone();
    }
    let is_left_out = |node: &NodeId| plan.outputs.contains(node) && !outputs.contains(node);
    let all = (0..plan.nodes.len()).map(NodeId);
    all.filter(|node| !is_left_out(node)).collect()
}

fn team(options: &RunOptions) -> Team {
    Team {
        processes: options.cluster.as_ref().map_or(1, |cluster| cluster.addresses.len()),
        threads: options.workers.max(1),
    }
}

/// What the workers share, where failures go, and where the run is kept.
struct Context {
    run: Arc<RunContext>,
    log: Arc<RunLog>,
    state: Option<State>,
}

/// Finds what the workers share, and where failures go.
fn context(
    plan: PhysicalPlan,
    outputs: &[NodeId],
    options: &RunOptions,
    orders: &Orders,
    lines: &Arc<Lines>,
    (opened, fingerprint): (Option<Opened>, Option<Fingerprint>),
) -> Result<Context, EngineError> {
    let team = team(options);
    let process = options.cluster.as_ref().map_or(0, |cluster| cluster.process);
    let watch = |(position, node): (usize, &PhysicalNode)| {
        let division = orders.divisions.get(&position);
        watch(node, outputs.contains(&node.id), division, team, process)
    };
    let watched: Arc<[Watched]> = plan.nodes.iter().enumerate().map(watch).collect();
    let ending = Arc::new(Ending::new(
        Arc::clone(&watched),
        Arc::clone(lines),
        team.processes == 1,
    ));
    for queue in ending.queues() {
        let ending = Arc::downgrade(&ending);
        queue.on_failure(move |error| {
            if let Some(ending) = ending.upgrade() {
                ending.end_soon(error);
            }
        });
    }
    let log = Arc::new(RunLog {
        terminate: options.terminate_on_error,
        ending: Arc::clone(&ending),
        rows: Arc::default(),
        live: LiveErrors::default(),
    });
    let is_read_elsewhere = team.processes > 1 && is_followed_elsewhere(&plan, orders);
    let times = Arc::new(SourceTimes::new(is_read_elsewhere.then(|| Arc::clone(lines))));
    let (keeping, state) = match opened {
        Some(opened) => Some(opened.keep(
            &plan,
            &watched,
            &orders.divisions,
            (team, process),
            (&times, lines, &ending),
            (orders.start, fingerprint),
        )?),
        None => None,
    }
    .unzip();
    let run = RunContext {
        plan,
        watched,
        team,
        process,
        times,
        clock: Arc::clone(&options.clock),
        start: orders.start,
        logs: [
            Arc::clone(&log) as Arc<dyn ErrorLog>,
            Arc::new(AsideLog(Arc::clone(&log))),
        ],
        ledger: Arc::new(Ledger::new(process, team.processes, Arc::clone(lines))),
        opening: Opening::new(team.threads),
        ending,
        keeping,
    };
    let run = Arc::new(run);
    Ok(Context { run, log, state })
}

/// Opens the connections to the other processes, if there are any.
fn connect(
    options: &RunOptions,
    peers: Vec<Peer>,
    lines: &Arc<Lines>,
    asked: Asked,
) -> Result<Option<(Network, Connections)>, EngineError> {
    let Some(cluster) = &options.cluster else {
        return Ok(None);
    };
    let ending = Weak::clone(&asked.ending);
    let asked: Arc<dyn Told> = Arc::new(asked);
    let (connections, channels) = Connections::open(peers, lines, &asked, cluster.silence)?;
    let addresses = cluster.addresses.clone();
    let lost = LostWire(Arc::new(move |process, reason| {
        if let Some(ending) = ending.upgrade() {
            let message = gone(process, &addresses[process], reason);
            ending.fail(EngineError::new(ErrorKind::Runtime, message));
        }
    }));
    let network = Network {
        process: cluster.process,
        channels,
        lost,
    };
    Ok(Some((network, connections)))
}

/// What other processes may ask of a run.
struct Asked {
    /// A line may outlive the run.
    ending: Weak<Ending>,
    sources: Arc<Sources>,
    ledger: Arc<Ledger>,
    times: Arc<SourceTimes>,
    heard: Arc<Heard>,
    journal: Option<Arc<Journal>>,
    /// It may outlive the run.
    run: Weak<RunContext>,
}

impl Told for Asked {
    fn fail(&self, error: EngineError) {
        if let Some(ending) = self.ending.upgrade() {
            ending.fail(error);
        }
    }

    fn has_failed(&self) -> bool {
        self.ending.upgrade().is_none_or(|ending| ending.is_failed())
    }

    fn counted(&self, process: usize, counts: Vec<Counts>) {
        self.heard.counted(process, counts);
    }

    fn stop(&self) {
        self.sources.stop();
    }

    fn were_taken(&self, counts: &[(u64, u64)]) {
        self.ledger.were_taken(counts);
    }

    fn saved(&self, process: usize, time: Time) {
        if let Some(journal) = &self.journal {
            journal.durable().saved_elsewhere(process, time);
        }
    }

    fn snapshot(&self, process: usize, word: &str) {
        let Some(run) = self.run.upgrade() else {
            return;
        };
        let taking = run.keeping.as_ref().and_then(|keeping| keeping.taking.get());
        // What cannot be read is of another version, and those do not come together.
        if let (Some(taking), Ok(word)) = (taking, serde_json::from_str(word)) {
            taking.heard(process, word);
        }
    }

    fn opened(&self, time: Time, presses: bool) {
        self.times.opened_elsewhere(time, presses);
    }
}

fn start_sources(run: &RunContext, sources: &Sources, log: &Arc<RunLog>, orders: &Orders) {
    let nodes = run.plan.nodes.iter().zip(&*run.watched).enumerate();
    // Those that the run feeds are there before what feeds them.
    let (fed, others): (Vec<_>, Vec<_>) = nodes.partition(|(_, (node, _))| node.ends_after.is_some());
    for (position, (node, watched)) in fed.into_iter().chain(others) {
        let (Work::Source { source, columns }, Some(division)) = (&node.work, orders.divisions.get(&position)) else {
            continue;
        };
        let keeping = run.keeping.as_ref();
        let stream = |part: &Part| {
            Some(SourceStream {
                number: part.stream,
                queue: Arc::clone(part.queue.as_ref()?),
                resumption: keeping.and_then(|keeping| keeping.resumptions.get(&(position, part.stream)).cloned()),
            })
        };
        let (former, parts): (Vec<&Part>, Vec<&Part>) =
            watched.parts.iter().partition(|part| division.is_former(part.stream));
        // What was kept of them is all that comes.
        former
            .iter()
            .filter_map(|part| part.queue.as_ref())
            .for_each(|queue| queue.close(Ok(())));
        let streams: Vec<SourceStream> = parts.into_iter().filter_map(stream).collect();
        if streams.is_empty() {
            source.is_read_elsewhere(run.process);
            continue;
        }
        if keeping.is_some_and(|keeping| keeping.only_plays) && source.kept() != Kept::Nothing {
            continue;
        }
        let context = SourceContext {
            columns: columns.clone(),
            streams,
            manifest: division.manifest.clone(),
            process: run.process,
            team: run.team,
            reporter: Reporter::new(node.id.0, node.origin.clone(), Arc::new(SourceLog(Arc::clone(log)))),
            errors: Arc::clone(&log.rows),
            clock: Arc::clone(&run.clock),
            keeps_bad_rows: !log.terminate,
        };
        match source.start(context) {
            Ok(handle) => {
                let queues = watched.parts.iter().filter_map(|part| part.queue.clone()).collect();
                sources.add(position, source.name(), handle, queues);
            }
            Err(error) => {
                run.ending.fail(error.at(node.origin.as_ref()));
                run.opening.fail();
            }
        }
    }
}
