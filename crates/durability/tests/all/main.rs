//! What is written comes back as it was written, or is refused by name, whatever happens in between.

mod children;
mod damage;
mod faults;
mod journal;
mod leases;
mod messages;
mod model;
mod objects;
mod places;
mod points;
mod stores;
