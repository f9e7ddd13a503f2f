//! Who may write to a store of objects.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use towpath_durability::{
    Access, Holder, LockError, ObjectStorage, Patience, State, StateErrorKind, Storage, put_blob,
};

use crate::model::holder;
use crate::stores::{PATIENCE, Store, folder_store, memory_store, objects_with};

const LEASE: &str = "some/where/lock";

/// A lease lapses soon.
const SHORT: Patience = Patience {
    attempt: Duration::from_millis(40),
    lapse: Duration::from_millis(200),
    renewal: Duration::from_millis(40),
    ..PATIENCE
};

fn objects(store: &Store) -> ObjectStorage {
    objects_with(store.clone(), SHORT)
}

/// The lease says that its holder is on another machine, or is another process.
fn change_lease(store: &Store, change: impl FnOnce(&mut Value)) {
    let mut lease = serde_json::from_slice(&store.get(LEASE)).expect("it is JSON");
    change(&mut lease);
    store.put(LEASE, &serde_json::to_vec(&lease).expect("it is JSON"));
}

fn elsewhere() -> Holder {
    Holder {
        host: "elsewhere".to_owned(),
        process: 7,
        since: 1_700_000_000_000,
    }
}

#[test]
fn a_lease_is_held_until_it_is_given_back() {
    let folder = tempfile::tempdir().expect("a folder");
    for store in [memory_store(), folder_store(folder.path())] {
        let (one, other) = (objects(&store), objects(&store));
        one.check_free().expect("nobody has it");
        let lock = one.lock(&holder()).expect("nobody has it");
        for storage in [&one, &other] {
            assert!(matches!(storage.check_free(), Err(LockError::Held(Some(found))) if found == holder()));
            assert!(matches!(storage.lock(&holder()), Err(LockError::Held(Some(found))) if found == holder()));
        }
        drop(lock);
        other.check_free().expect("it was given back");
        drop(other.lock(&holder()).expect("it was given back"));
        drop(one.lock(&holder()).expect("it was given back"));
    }
}

#[test]
fn the_lease_of_a_dead_process_of_this_machine_is_taken_at_once() {
    let store = memory_store();
    let dead = objects(&store).lock(&holder()).expect("nobody has it");
    store.be_away(true);
    drop(dead);
    store.be_away(false);
    // Another process has had its id.
    change_lease(&store, |lease| lease["life"]["start"] = "1".into());
    let patience = Patience {
        lapse: Duration::from_secs(600),
        ..SHORT
    };
    let storage = objects_with(store, patience);
    storage.check_free().expect("its holder is dead");
    storage.lock(&holder()).expect("its holder is dead");
}

#[test]
fn a_lease_that_could_not_be_given_back_is_taken_again_by_its_process() {
    let store = memory_store();
    let lock = objects(&store).lock(&holder()).expect("nobody has it");
    store.be_away(true);
    drop(lock);
    store.be_away(false);
    objects(&store).check_free().expect("this process does not use it");
    objects(&store).lock(&holder()).expect("this process does not use it");
}

#[test]
fn the_lease_of_another_machine_is_taken_over_when_it_was_not_renewed() {
    let store = memory_store();
    let storage: Arc<dyn Storage> = Arc::new(objects(&store));
    let holds = |holder: &Holder| State::open(Arc::clone(&storage), holder.clone(), Access::ReadWrite);
    let state = holds(&elsewhere()).expect("nobody has it");
    put_blob(&state, "blob", *b"test", b"before").expect("it is ours");
    // The machine that has it stands still.
    change_lease(&store, |lease| {
        lease["life"] = Value::Null;
        lease["lock"] = "another".into();
        lease["holder"]["process"] = 8.into();
    });
    let begin = Instant::now();
    let other = objects(&store).lock(&holder()).expect("it was not renewed");
    assert!(begin.elapsed() >= SHORT.lapse, "{:?}", begin.elapsed());
    // When it goes on, it must not write.
    let begin = Instant::now();
    let error = loop {
        match put_blob(&state, "blob", *b"test", b"after") {
            // Its lease is good for a moment.
            Ok(()) => assert!(begin.elapsed() < SHORT.lapse),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, StateErrorKind::Held);
    assert!(
        error.to_string().contains("process 8 on elsewhere has taken it over"),
        "{error}"
    );
    drop(state);
    assert!(matches!(objects(&store).check_free(), Err(LockError::Held(Some(found))) if found == holder()));
    drop(other);
    objects(&store).check_free().expect("it was given back");
}

#[test]
fn a_lease_that_is_renewed_is_refused() {
    let store = memory_store();
    let lock = objects(&store).lock(&elsewhere()).expect("nobody has it");
    // Whether its holder is alive cannot be seen, only that it renews it.
    let stranger = store.healthy();
    let is_refused = Arc::new(AtomicBool::new(false));
    let renewing = std::thread::spawn({
        let (store, is_refused) = (store.healthy(), Arc::clone(&is_refused));
        move || {
            let mut lease: Value = serde_json::from_slice(&store.get(LEASE)).expect("it is JSON");
            lease["life"] = Value::Null;
            for renewals in 1000_u64.. {
                lease["renewals"] = renewals.into();
                store.put(LEASE, &serde_json::to_vec(&lease).expect("it is JSON"));
                if is_refused.load(Ordering::SeqCst) {
                    break;
                }
            }
        }
    });
    let refused = objects(&stranger).lock(&holder());
    is_refused.store(true, Ordering::SeqCst);
    assert!(matches!(refused, Err(LockError::Held(Some(found))) if found == elsewhere()));
    renewing.join().expect("it does not panic");
    drop(lock);
}

#[test]
fn a_store_that_comes_back_after_a_lease_has_lapsed_is_written_to() {
    let store = memory_store();
    let storage: Arc<dyn Storage> = Arc::new(objects(&store));
    let state = State::open(storage, holder(), Access::ReadWrite).expect("nobody has it");
    store.be_away(true);
    let begin = Instant::now();
    while begin.elapsed() < SHORT.lapse {
        std::thread::yield_now();
    }
    store.be_away(false);
    put_blob(&state, "blob", *b"test", b"content").expect("nobody has taken it over");
}
