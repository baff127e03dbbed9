//! A clearance is for one send.

use milu::egress::{Door, HttpRequest};
use milu::residency::Cleared;

pub async fn wrong<T: Into<HttpRequest>>(door: &Door, cleared: Cleared<T>) {
    drop(door.request(None, cleared).await);
    drop(door.request(None, cleared).await); //~ E0382
}

fn main() {}
