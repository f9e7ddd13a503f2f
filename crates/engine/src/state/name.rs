//! What tells saved rows apart.

use towpath_types::{Key, Shared};

/// What a saved row is called: its identity, and the key by whose shard it is decided which worker it belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Tells the row from others of its table and owner.
    pub identity: Key,
    /// Whose the row is.
    pub owner: Key,
}

impl Name {
    /// The only row of an owner.
    pub fn of(key: Key) -> Self {
        Self {
            identity: key,
            owner: key,
        }
    }

    /// Identities, and owners where they are others.
    pub(super) fn split(names: &[Self]) -> (Shared<Key>, Option<Vec<Key>>) {
        let identities = names.iter().map(|name| name.identity).collect();
        let is_owner = names.iter().all(|name| name.identity == name.owner);
        (
            identities,
            (!is_owner).then(|| names.iter().map(|name| name.owner).collect()),
        )
    }
}
