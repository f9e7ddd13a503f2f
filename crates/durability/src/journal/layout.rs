//! How the files of a journal look, byte by byte. All numbers are little endian.
//!
//! A file begins with magic (8 bytes), version (4), length of the rest of the header (4), XXH3-128 of all other bytes of
//! the header (16), and the rest as JSON. A group is magic (8), number (8), length of its content (8), XXH3-64 of these
//! (8), XXH3-128 of the content (16), and the content: the time that is closed (8), the number of records (8), whether
//! the run ends here (1), and each record: stream (4), kind (1), time (8), length (8), payload.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed, xxh3_128_with_seed};

use crate::Time;
use crate::format::{VERSION, fixed};
use crate::names::{End, FileName};

const FILE_MAGIC: &[u8; 8] = b"TOWPATHJ";
pub(super) const GROUP_MAGIC: &[u8; 8] = b"\xF1groupT\xA7";

/// What comes before the JSON of a header.
pub(super) const PREFACE: usize = 32;

/// What comes before the content of a group.
pub(super) const GROUP_HEADER: usize = 48;

/// What comes before the records in the content.
pub(super) const CONTENT_HEADER: usize = 17;

/// What comes before the payload of a record.
pub(super) const RECORD_HEADER: usize = 21;

/// What is written of one stream, which is a part of a source or of an output, at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The number of the stream among the names that the writer was made with.
    pub stream: u32,
    /// What it is, for who reads it.
    pub kind: u8,
    /// Its time.
    pub time: Time,
    /// What it says.
    pub payload: Vec<u8>,
}

/// Records that are durable together, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// All records of earlier times of this process are in this group or in one before it.
    pub closed: Time,
    /// What is written.
    pub records: Vec<Record>,
}

/// What a file says of itself.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct FileHeader {
    pub(super) state: String,
    #[serde(flatten)]
    pub(super) file: FileName,
    pub(super) streams: Vec<String>,
    /// How many groups the file before it has; 0 if this is the first.
    pub(super) before: u64,
    /// The ends of the earlier runs that no run in between has told.
    pub(super) earlier: Vec<End>,
}

fn header_checksum(preface: &[u8], json: &[u8]) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(preface);
    hasher.update(json);
    hasher.digest128()
}

impl FileHeader {
    pub(super) fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let json = serde_json::to_vec(self)?;
        let length = u32::try_from(json.len()).map_err(|_| serde::ser::Error::custom("the names are too long"))?;
        let mut bytes = Vec::with_capacity(PREFACE + json.len());
        bytes.extend_from_slice(FILE_MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        let checksum = header_checksum(&bytes, &json);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.extend_from_slice(&json);
        Ok(bytes)
    }
}

/// What comes before the JSON of a header.
pub(super) struct Preface([u8; PREFACE]);

impl Preface {
    /// If these bytes are one.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..PREFACE)?;
        bytes.starts_with(FILE_MAGIC).then(|| Self(fixed(bytes)))
    }

    pub(super) fn version(&self) -> u32 {
        u32::from_le_bytes(fixed(&self.0[8..12]))
    }

    /// How long the JSON is.
    pub(super) fn length(&self) -> usize {
        u32::from_le_bytes(fixed(&self.0[12..16])) as usize
    }

    /// The header, if this is the JSON of it.
    pub(super) fn header(&self, json: &[u8]) -> Option<FileHeader> {
        let checksum = u128::from_le_bytes(fixed(&self.0[16..]));
        if json.len() != self.length() || checksum != header_checksum(&self.0[..16], json) {
            return None;
        }
        serde_json::from_slice(json).ok()
    }
}

/// What comes before the content of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupHeader {
    pub(super) number: u64,
    pub(super) length: u64,
    check: u64,
    checksum: u128,
}

impl GroupHeader {
    /// If these bytes are one of the file with this seed.
    pub(super) fn new(bytes: &[u8], seed: u64) -> Option<Self> {
        let bytes: [u8; GROUP_HEADER] = fixed(bytes.get(..GROUP_HEADER)?);
        let number = |at: usize| u64::from_le_bytes(fixed(&bytes[at..at + 8]));
        let header = Self {
            number: number(8),
            length: number(16),
            check: number(24),
            checksum: u128::from_le_bytes(fixed(&bytes[32..])),
        };
        let is_whole = bytes.starts_with(GROUP_MAGIC) && header.check == xxh3_64_with_seed(&bytes[..24], seed);
        is_whole.then_some(header)
    }

    /// What makes the checksum of the content, which is that of this header, too.
    pub(super) fn hasher(&self, seed: u64) -> Xxh3 {
        Xxh3::with_seed(seed ^ self.check)
    }

    pub(super) fn fits(&self, hasher: &Xxh3) -> bool {
        hasher.digest128() == self.checksum
    }
}

/// Puts what is written for a group into an empty buffer.
pub(super) fn encode_group(buffer: &mut Vec<u8>, group: &Group, number: u64, is_end: bool, seed: u64) {
    let payloads: usize = group
        .records
        .iter()
        .map(|record| RECORD_HEADER + record.payload.len())
        .sum();
    let length = CONTENT_HEADER + payloads;
    buffer.reserve(GROUP_HEADER + length);
    buffer.extend_from_slice(GROUP_MAGIC);
    buffer.extend_from_slice(&number.to_le_bytes());
    buffer.extend_from_slice(&(length as u64).to_le_bytes());
    let check = xxh3_64_with_seed(buffer, seed);
    buffer.extend_from_slice(&check.to_le_bytes());
    buffer.extend_from_slice(&[0; 16]);
    buffer.extend_from_slice(&group.closed.to_le_bytes());
    buffer.extend_from_slice(&(group.records.len() as u64).to_le_bytes());
    buffer.push(u8::from(is_end));
    for record in &group.records {
        buffer.extend_from_slice(&record.stream.to_le_bytes());
        buffer.push(record.kind);
        buffer.extend_from_slice(&record.time.to_le_bytes());
        buffer.extend_from_slice(&(record.payload.len() as u64).to_le_bytes());
        buffer.extend_from_slice(&record.payload);
    }
    let checksum = xxh3_128_with_seed(&buffer[GROUP_HEADER..], seed ^ check);
    buffer[32..GROUP_HEADER].copy_from_slice(&checksum.to_le_bytes());
}
