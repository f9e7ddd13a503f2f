//! Batches on their way between operators and workers.

use std::cell::RefCell;
use std::io::Write;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use timely::Accountable;
use timely::communication::Push;
use timely::dataflow::channels::pushers::exchange::Distributor;
use timely::dataflow::channels::{ContainerBytes, Message};
use timely::progress::Stamp;
use towpath_types::wire::{self, WireError};
use towpath_types::{Batch, Cells, Key};

use super::on_the_way::{Account, Credit, Ledger};
use super::worker_ending::WorkerEnding;
use crate::error::{EngineError, ErrorKind, Origin};

/// A batch as timely carries it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parcel {
    batch: Batch,
    credit: Option<Credit>,
    /// Where its rows are counted, if it has come from another process and nobody has looked yet.
    account: Option<Account>,
}

impl Parcel {
    /// A batch that nobody counts.
    pub(crate) fn new(batch: Batch) -> Self {
        Self {
            batch,
            ..Self::default()
        }
    }

    /// A batch whose rows are counted until they are taken.
    pub(crate) fn counted(batch: Batch, credit: Credit) -> Self {
        Self {
            batch,
            credit: Some(credit),
            account: None,
        }
    }

    /// The batch, and what counts its rows.
    pub(crate) fn open(self) -> (Batch, Option<Credit>) {
        (self.batch, self.credit)
    }
}

impl Accountable for Parcel {
    fn record_count(&self) -> i64 {
        self.batch.len() as i64
    }
}

thread_local! {
    /// What was wrong with the bytes that this worker read last, if they were no batch. Timely has no word for that, so
    /// they become a parcel without rows, which nobody sends.
    static UNREADABLE: RefCell<Option<WireError>> = const { RefCell::new(None) };
}

/// What stands before the bytes of a batch: their length, and the [`Account`] of its rows, or zeros.
const HEAD: usize = 24;

/// Workers of one process hand batches over as they are; for those of others, a batch becomes a head, its bytes, and as
/// many more as make a multiple of eight, which timely expects.
impl ContainerBytes for Parcel {
    fn from_bytes(bytes: timely::bytes::arc::Bytes) -> Self {
        let (head, rest) = bytes.split_first_chunk::<HEAD>().unwrap_or((&[0; HEAD], &[]));
        let (words, _) = head.as_chunks::<8>();
        let [length, process, number] = [0, 1, 2].map(|position| u64::from_le_bytes(words[position]));
        let content = rest.get(..length as usize).unwrap_or_default();
        match wire::read_batch(content) {
            Ok(batch) => Parcel {
                account: (number > 0).then_some(Account {
                    process: process as usize,
                    number,
                }),
                ..Parcel::new(batch)
            },
            Err(error) => {
                UNREADABLE.set(Some(error));
                Parcel::default()
            }
        }
    }

    fn length_in_bytes(&self) -> usize {
        HEAD + wire::batch_length(&self.batch).next_multiple_of(8)
    }

    fn into_bytes<W: Write>(&self, writer: &mut W) {
        let length = wire::batch_length(&self.batch);
        let padding = length.next_multiple_of(8) - length;
        let account = self.credit.as_ref().and_then(Credit::leave);
        let (process, number) = account.map_or((0, 0), |account| (account.process as u64, account.number));
        let head = [length as u64, process, number].map(u64::to_le_bytes);
        let written = writer
            .write_all(head.as_flattened())
            .and_then(|()| wire::write_batch(&self.batch, writer))
            .and_then(|()| writer.write_all(&[0; 8][..padding]));
        if let Err(error) = written {
            panic!("the buffer for a batch is too short: {error}");
        }
    }
}

/// The columns of a batch that are read.
pub(crate) fn projected(batch: Batch, columns: &[usize]) -> Batch {
    let is_identity = columns.len() == batch.columns().len()
        && columns.iter().enumerate().all(|(position, column)| position == *column);
    if is_identity { batch } else { batch.project(columns) }
}

/// Who gets rows, and says what is wrong with those that cannot come over from another process.
#[derive(Clone)]
pub(crate) struct Recipient {
    /// What the operator is called, and where it was declared.
    pub(crate) name: Rc<str>,
    pub(crate) origin: Option<Origin>,
    /// The names of the columns it reads, where they have one.
    pub(crate) columns: Rc<[Option<Arc<str>>]>,
    /// The workers of this process.
    pub(crate) here: Range<usize>,
    pub(crate) ending: Rc<WorkerEnding>,
    pub(crate) ledger: Arc<Ledger>,
}

impl Recipient {
    /// Whether the rows can go to a worker; if not, the run fails.
    fn can_go(&self, batch: &Batch, worker: usize) -> bool {
        if self.here.contains(&worker) {
            return true;
        }
        for (position, column) in batch.columns().iter().enumerate() {
            if let Some(reason) = wire::unwritable(column) {
                self.fail(Some(position), "cannot be sent to another process", &reason);
                return false;
            }
        }
        true
    }

    /// Takes a parcel that has come. If it is not what was sent, the run fails.
    pub(crate) fn take(&self, parcel: &mut Parcel) -> Option<Parcel> {
        let mut parcel = std::mem::take(parcel);
        if parcel.batch.is_empty()
            && let Some(error) = UNREADABLE.take()
        {
            self.fail(
                error.column,
                "cannot be read as it came from another process",
                &error.reason,
            );
            return None;
        }
        if let Some(account) = parcel.account.take() {
            parcel.credit = Some(self.ledger.came(account, parcel.batch.len()));
        }
        Some(parcel)
    }

    fn fail(&self, column: Option<usize>, what: &str, reason: &str) {
        let name = column.and_then(|position| self.columns.get(position).cloned().flatten());
        let column = name.map_or_else(|| "a column".to_owned(), |name| format!("the column {name}"));
        let message = format!("{}: {column} {what}: {reason}", self.name);
        self.ending
            .fail(EngineError::new(ErrorKind::Type, message).at(self.origin.as_ref()));
    }
}

/// Which worker gets a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Owner {
    /// The owner of its key.
    OfKey,
    /// The owner of the key in the pointer column at this position.
    OfPointer(usize),
    /// This one gets all rows.
    Worker(usize),
}

/// Chooses the columns that are read and splits batches by the worker that owns each row.
///
/// The rows that go in are those that come out: timely counts them to know how far each time is. So a stream that
/// several workers get as a whole has an exchange for each of them.
pub(crate) struct Spread {
    owner: Owner,
    /// All if there are none.
    columns: Option<Vec<usize>>,
    recipient: Recipient,
}

impl Spread {
    pub(crate) fn new(owner: Owner, columns: Option<Vec<usize>>, recipient: Recipient) -> Self {
        Self {
            owner,
            columns,
            recipient,
        }
    }

    /// The rows that each worker gets.
    fn parts(&self, batch: &Batch, workers: usize) -> Vec<Batch> {
        let by = |keys: &[Key]| batch.split(keys, workers, |key| key.worker(workers));
        match self.owner {
            Owner::Worker(worker) => batch.split(batch.keys(), workers, |_| worker),
            Owner::OfKey => by(batch.keys()),
            Owner::OfPointer(position) => match batch.column(position).cells() {
                Cells::Pointer(pointers) => by(pointers.values()),
                other => panic!("rows are spread by a column of pointers, not by {other:?}"),
            },
        }
    }
}

impl Distributor<Parcel> for Spread {
    fn partition<T: Clone, P: Push<Message<T, Parcel>>>(
        &mut self,
        parcel: &mut Parcel,
        stamp: &Stamp<T>,
        pushers: &mut [P],
    ) {
        let (batch, credit) = std::mem::take(parcel).open();
        let batch = match &self.columns {
            Some(columns) => projected(batch, columns),
            None => batch,
        };
        let parts = self.parts(&batch, pushers.len());
        for (worker, (part, pusher)) in parts.into_iter().zip(pushers).enumerate() {
            if !part.is_empty() && self.recipient.can_go(&part, worker) {
                let mut parcel = match &credit {
                    Some(credit) => {
                        let credit = credit.part(part.len());
                        Parcel::counted(part, credit)
                    }
                    None => Parcel::new(part),
                };
                Message::push_at(&mut parcel, stamp.clone(), pusher);
            }
        }
    }

    fn flush<T: Clone, P: Push<Message<T, Parcel>>>(&mut self, _stamp: &Stamp<T>, _pushers: &mut [P]) {}
}
