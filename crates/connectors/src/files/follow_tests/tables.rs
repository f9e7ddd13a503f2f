//! However files grow, are rewritten, renamed and deleted, and whenever somebody looks: at last the rows are those of
//! reading the folder from scratch.

use super::*;

/// Something that happens to one of a few files.
#[derive(Clone, Debug)]
enum Event {
    Append(usize, Vec<u8>),
    /// Cuts off some of the end.
    Shorten(usize, usize),
    /// Writes something else into the same file.
    Rewrite(usize, Vec<u8>),
    /// Writes over a few bytes in the middle.
    Patch(usize, usize, Vec<u8>),
    /// Puts another file in its place.
    Replace(usize, Vec<u8>),
    /// Puts a longer copy in its place.
    ReplaceByLonger(usize, Vec<u8>),
    Rename(usize, usize),
    Delete(usize),
    /// Somebody looks after so many seconds.
    Look(u64),
}

fn event(pieces: impl Strategy<Value = Vec<u8>> + Clone + 'static) -> impl Strategy<Value = Event> {
    let file = 0..3_usize;
    prop_oneof![
        6 => (file.clone(), pieces.clone()).prop_map(|(file, bytes)| Event::Append(file, bytes)),
        1 => (file.clone(), 0..40_usize).prop_map(|(file, bytes)| Event::Shorten(file, bytes)),
        1 => (file.clone(), pieces.clone()).prop_map(|(file, bytes)| Event::Rewrite(file, bytes)),
        1 => (file.clone(), 0..99_usize, prop::collection::vec(prop::sample::select(&b"x,\n\"1"[..]), 1..3))
            .prop_map(|(file, offset, bytes)| Event::Patch(file, offset, bytes)),
        1 => (file.clone(), pieces.clone()).prop_map(|(file, bytes)| Event::Replace(file, bytes)),
        1 => (file.clone(), pieces).prop_map(|(file, bytes)| Event::ReplaceByLonger(file, bytes)),
        1 => (file.clone(), file.clone()).prop_map(|(from, to)| Event::Rename(from, to)),
        1 => file.prop_map(Event::Delete),
        6 => prop::sample::select(&[0, 0, 1, 2, 61][..]).prop_map(Event::Look),
    ]
}

/// Lets something happen; to files that are not there, mostly nothing does.
fn happen(root: &Path, event: &Event, header: &[u8]) -> std::io::Result<()> {
    let path = |file: &usize| root.join(format!("{file}.txt"));
    let aside = root.with_extension("aside");
    match event {
        Event::Append(file, bytes) => {
            let mut file = OpenOptions::new().append(true).create(true).open(path(file))?;
            if file.metadata()?.len() == 0 {
                file.write_all(header)?;
            }
            file.write_all(bytes)
        }
        Event::Shorten(file, bytes) => {
            let file = OpenOptions::new().write(true).open(path(file))?;
            file.set_len(file.metadata()?.len().saturating_sub(*bytes as u64))
        }
        Event::Rewrite(file, bytes) => fs::write(path(file), [header, bytes].concat()),
        Event::Patch(file, offset, bytes) => {
            let mut file = OpenOptions::new().write(true).open(path(file))?;
            let len = file.metadata()?.len() as usize;
            let offset = offset % len.max(1);
            file.seek(SeekFrom::Start(offset as u64))?;
            file.write_all(&bytes[..bytes.len().min(len - offset)])
        }
        Event::Replace(file, bytes) => {
            fs::write(&aside, [header, bytes].concat())?;
            fs::rename(aside, path(file))
        }
        Event::ReplaceByLonger(file, bytes) => {
            fs::write(&aside, [&fs::read(path(file))?, &bytes[..]].concat())?;
            fs::rename(aside, path(file))
        }
        Event::Rename(from, to) => fs::rename(path(from), path(to)),
        Event::Delete(file) => fs::remove_file(path(file)),
        Event::Look(_) => Ok(()),
    }
}

/// The law, for one source.
fn check(format: FileFormat, has_key: bool, with_metadata: bool, block: usize, header: &[u8], events: &[Event]) {
    let folder = TempDir::new().expect("a temporary folder");
    let root = folder.path().join("root");
    fs::create_dir(&root).expect("a folder");
    let mut source = source(&root, format, has_key);
    source.sizes = Sizes { block, ..Sizes::USUAL };
    if with_metadata {
        source = source.with_metadata();
    }
    let reader = reader(&source, false, &Arc::default());
    let mut work = Work::new(&reader);
    for event in events {
        let _ = happen(&root, event, header);
        if let Event::Look(seconds) = event {
            work.look_after(*seconds);
            let is_table = work.table.values().all(|count| *count > 0);
            assert!(is_table, "a row was taken back that was not there: {:?}", work.table);
        }
    }
    work.look(true);
    if with_metadata {
        // When the file was seen differs.
        assert_eq!(work.table.len(), from_scratch(&source).len());
    } else {
        assert_eq!(work.table, from_scratch(&source));
    }
}

const HEADERS: &[&[u8]] = &[
    b"a,b\n",
    b"\xef\xbb\xbfb,a\r\n",
    b"\n\"a\",c,b\n",
    b"a,\"b",
    b"a,c\n",
    b"",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn csv_is_followed(
        has_key: bool,
        with_metadata in prop::bool::weighted(0.2),
        block in 1..80_usize,
        header in prop::sample::select(HEADERS),
        events in prop::collection::vec(event(pieces(CSV)), 0..40),
    ) {
        check(csv(), has_key, with_metadata, block, header, &events);
    }

    #[test]
    fn json_is_followed(
        has_key: bool,
        block in 1..80_usize,
        events in prop::collection::vec(event(pieces(JSON)), 0..40),
    ) {
        check(FileFormat::JsonLines(Vec::new()), has_key, false, block, b"", &events);
    }

    #[test]
    fn text_is_followed(
        has_key: bool,
        format in prop::sample::select(vec![FileFormat::Plaintext, FileFormat::PlaintextByFile, FileFormat::Binary]),
        block in 1..80_usize,
        events in prop::collection::vec(event(pieces(TEXT)), 0..40),
    ) {
        check(format, has_key, false, block, b"", &events);
    }
}
