//! Where nothing may be taken back, the rows are all that was ever written.

use super::*;

/// Something that happens to a log of which nothing is taken back.
#[derive(Clone, Debug)]
enum LogEvent {
    /// Somebody writes to the newest file, or to one that was the newest so many rotations ago.
    Write(usize, Vec<u8>),
    /// It gets another name, within the folder or not, and a new file its own.
    Rotate {
        stays: bool,
    },
    /// All is copied, and the file cut to nothing.
    CopyAndTruncate,
    /// A copy with the same content is put in its place.
    Copy,
    Look(u64),
    /// The program is started again, with the positions it had.
    Restart,
}

fn log_event(pieces: impl Strategy<Value = Vec<u8>> + 'static) -> impl Strategy<Value = LogEvent> {
    prop_oneof![
        8 => (prop::sample::select(&[0, 0, 0, 1][..]), pieces).prop_map(|(age, bytes)| LogEvent::Write(age, bytes)),
        1 => any::<bool>().prop_map(|stays| LogEvent::Rotate { stays }),
        1 => Just(LogEvent::CopyAndTruncate),
        1 => Just(LogEvent::Copy),
        5 => prop::sample::select(&[0, 1, 2][..]).prop_map(LogEvent::Look),
        1 => Just(LogEvent::Restart),
    ]
}

/// A log, and all that was ever written to each of its files.
struct Log {
    path: PathBuf,
    open: Vec<(File, Vec<u8>)>,
    /// Which of them were cut to nothing and are the next ones now.
    cut: Vec<usize>,
}

impl Log {
    fn open(path: &Path) -> File {
        let options = OpenOptions::new().append(true).create(true).open(path);
        options.expect("the log can be opened")
    }

    fn begin(&mut self) {
        self.open.push((Self::open(&self.path), Vec::new()));
    }
}

fn check_log(format: FileFormat, block: usize, header: &[u8], events: &[LogEvent]) {
    let folder = TempDir::new().expect("a temporary folder");
    let root = folder.path().join("root");
    fs::create_dir(&root).expect("a folder");
    let mut source = source(&root, format.clone(), false).append_only();
    source.sizes = Sizes { block, ..Sizes::USUAL };
    let reader = reader(&source, false, &Arc::default());
    let mut work = Work::new(&reader);
    let mut log = Log {
        path: root.join("log"),
        open: Vec::new(),
        cut: Vec::new(),
    };
    log.begin();
    for event in events {
        let newest = log.open.len() - 1;
        match event {
            LogEvent::Write(age, bytes) => {
                let number = newest.saturating_sub(*age);
                let number = if log.cut.contains(&number) { newest } else { number };
                let (file, written) = &mut log.open[number];
                // An object may be taken before its line has an end, and then the line must not go on.
                let is_object = matches!(format, FileFormat::JsonLines(_)) && written.trim_ascii_end().ends_with(b"}");
                let before = match written.last() {
                    None => header,
                    Some(last) if is_object && *last != b'\n' => b"\n",
                    Some(_) => b"",
                };
                let bytes = [before, bytes].concat();
                file.write_all(&bytes).expect("it is written");
                written.extend(bytes);
            }
            // What was never seen before it left is lost, and so is what is cut off.
            LogEvent::Rotate { stays } => {
                work.look_after(0);
                let to = if *stays { &root } else { folder.path() };
                fs::rename(&log.path, to.join(format!("log.{newest}"))).expect("it is renamed");
                log.begin();
                work.look_after(0);
            }
            LogEvent::CopyAndTruncate => {
                let (file, written) = &mut log.open[newest];
                // A record that has not come to its end is lost with it.
                if !written.is_empty() {
                    file.write_all(b"\n").expect("it is written");
                    written.push(b'\n');
                }
                if written.iter().filter(|byte| **byte == b'"').count() % 2 == 1 {
                    continue;
                }
                work.look_after(0);
                file.set_len(0).expect("it is cut");
                let copy = file.try_clone().expect("it is open");
                log.open.push((copy, Vec::new()));
                log.cut.push(newest);
                work.look_after(0);
            }
            LogEvent::Copy => {
                let aside = folder.path().join("aside");
                fs::copy(&log.path, &aside).expect("it is copied");
                work.look_after(0);
                fs::rename(&aside, &log.path).expect("it is replaced");
                log.open[newest].0 = Log::open(&log.path);
                work.look_after(0);
            }
            LogEvent::Look(seconds) => {
                let changes = work.look_after(*seconds);
                assert!(changes.iter().all(|(_, diff)| *diff == 1), "{changes:?}");
            }
            LogEvent::Restart => {
                // What has left is followed only as long as the program runs.
                work.look_after(0);
                work.follower.restart();
            }
        }
    }
    work.look(true);
    assert!(
        work.table.values().all(|count| *count == 1),
        "keys are unique: {:?}",
        work.table
    );
    // Each of the files, as if it had been left alone.
    let mut expected = Vec::new();
    for (number, (_, written)) in log.open.iter().enumerate() {
        let path = folder.path().join(format!("whole.{number}"));
        fs::write(&path, written).expect("a file");
        let source = FileSource {
            is_append_only: false,
            ..self::source(&path, format.clone(), false)
        };
        expected.extend(from_scratch(&source).into_keys().map(|(_, row)| row));
    }
    expected.sort();
    assert_eq!(work.rows(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn a_log_in_csv_loses_and_repeats_nothing(
        block in 1..80_usize,
        events in prop::collection::vec(log_event(pieces(CSV)), 0..40),
    ) {
        check_log(csv(), block, b"a,b\n", &events);
    }

    #[test]
    fn a_log_in_json_loses_and_repeats_nothing(
        block in 1..80_usize,
        events in prop::collection::vec(log_event(pieces(JSON)), 0..40),
    ) {
        check_log(FileFormat::JsonLines(Vec::new()), block, b"", &events);
    }

    #[test]
    fn a_log_in_plain_text_loses_and_repeats_nothing(
        block in 1..80_usize,
        events in prop::collection::vec(log_event(pieces(TEXT)), 0..40),
    ) {
        check_log(FileFormat::Plaintext, block, b"", &events);
    }
}
